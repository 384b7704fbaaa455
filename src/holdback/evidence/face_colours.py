"""The colours that a screen shows on a face, in an order that a nonce chose and nobody knows before.

A face in front of a screen takes on its colours, weakly, and what stands behind it less. Which colour comes next is
told only once the pictures of the last one are committed to, so that nothing can be drawn beforehand. Decoys are what
other nonces would have chosen: a face that follows them as well follows nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

COLOURS: Final = (
    (70, 120, 255),
    (60, 230, 120),
    (255, 205, 70),
    (205, 110, 245),
    (60, 215, 240),
    (245, 245, 245),
)
"""sRGB. None is a saturated red (R / (R + G + B) of 0.8 and more, WCAG 2.2), which brings on seizures soonest."""
WORDS: Final = ("blue", "green", "yellow", "violet", "turquoise", "white")
"""The same, for those who do not see them."""
NONCE_BYTES: Final = 32
DECOYS: Final = 40


def chosen(nonce: bytes, count: int, decoy: int = 0) -> tuple[int, ...]:
    """So many places in COLOURS, none twice in a row. `decoy` 0 is the nonce's own choice, the others its decoys."""
    found: list[int] = []
    for place in range(count):
        word = hmac.digest(nonce, f"{decoy}/{place}".encode(), hashlib.sha256)
        if not found:
            found.append(int.from_bytes(word) % len(COLOURS))
        else:
            step = 1 + int.from_bytes(word) % (len(COLOURS) - 1)
            found.append((found[-1] + step) % len(COLOURS))
    return tuple(found)


def decoys(nonce: bytes, count: int) -> tuple[tuple[int, ...], ...]:
    """What other nonces would have chosen."""
    return tuple(chosen(nonce, count, decoy) for decoy in range(1, DECOYS + 1))
