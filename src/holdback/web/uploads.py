"""Forms with a file, as browsers send them (RFC 7578): taken apart here, and read by nobody but who is to read them.

A file's bytes go on as they came, and its name is only a text that a page may show, like any other that strangers
choose.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

PARTS_MOST: Final = 16
HEAD_MOST: Final = 1_024
FIELD_MOST: Final = 4_096
NAME_MOST: Final = 128

_BOUNDARY: Final = re.compile(rb'boundary="?([0-9A-Za-z\'()+_,./:=?-]{1,70})"?\s*(?:;|\Z)')
_NAME: Final = re.compile(r'[; ]name="([^"\r\n]*)"')
_FILE: Final = re.compile(r'[; ]filename="([^"\r\n]*)"')


class File(NamedTuple):
    """What was chosen: its name as the browser says it, cut short, and its bytes."""

    name: str
    body: bytes


class Upload(NamedTuple):
    """A form's fields, each once, and its file if it has one."""

    fields: dict[str, str]
    file: File | None


def upload(media_type: bytes, body: bytes) -> Upload:
    """A form with a file; nothing of one that cannot be read. Of several files it is the last."""
    found = _BOUNDARY.search(media_type)
    fields: dict[str, str] = {}
    file = None
    if found is None:
        return Upload(fields, file)
    _, *parts = (b"\r\n" + body).split(b"\r\n--" + found[1], PARTS_MOST + 1)
    if len(parts) > PARTS_MOST or not parts or not parts[-1].startswith(b"--"):
        return Upload({}, None)
    for part in parts[:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        said = head[:HEAD_MOST].decode("utf-8", "replace")
        name, chosen = _NAME.search(said), _FILE.search(said)
        if name is None:
            continue
        if chosen is not None:
            file = File(chosen[1][:NAME_MOST], content)
        elif len(content) <= FIELD_MOST:
            fields[name[1]] = content.decode("utf-8", "replace")
    return Upload(fields, file)
