"""Forms with a file: what browsers send is read, and what nobody would send is read as nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdback.web.uploads import FIELD_MOST, NAME_MOST, PARTS_MOST, Upload, upload

KIND = b"multipart/form-data; boundary=----x"
NOTHING = Upload({}, None)


def part(head: str, body: bytes) -> bytes:
    """One part."""
    return b"------x\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + body + b"\r\n"


def whole(*parts: bytes) -> bytes:
    """A body of these parts."""
    return b"".join(parts) + b"------x--\r\n"


def test_fields_and_a_file_are_told_apart() -> None:
    """A field is text, a file keeps each byte, line ends and what looks like a boundary among them."""
    inside = b"%PDF-\r\n--x\r\n\x00\xff\r\n"
    file = part('name="paper"; filename="a \u4e2d.pdf"', inside)
    found = upload(KIND, whole(part('name="_word"', b"w"), file))
    assert found.fields == {"_word": "w"}
    assert found.file is not None
    assert (found.file.name, found.file.body) == ("a \u4e2d.pdf", inside)


def test_a_file_is_no_field_and_its_name_no_path() -> None:
    """What is sent as a file cannot pass for a field, whatever its headers say; a long name is cut short."""
    found = upload(KIND, whole(part(f'name="_word"; filename="../{"x" * 500}"', b"w")))
    assert found.fields == {}
    assert found.file is not None
    assert len(found.file.name) == NAME_MOST


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"------x--",
        b"------x",
        part('name="_word"', b"w"),
        whole(*[part(f'name="f{place}"', b"") for place in range(PARTS_MOST + 1)]),
        whole(part("nothing", b"w")),
        whole(part('name="_word"', b"w" * (FIELD_MOST + 1))),
    ],
)
def test_what_is_no_form_is_nothing(body: bytes) -> None:
    """A body that ends early, has no names, too many parts or too long fields carries nothing."""
    assert upload(KIND, body) == NOTHING


@pytest.mark.parametrize("kind", [b"", b"multipart/form-data", b"multipart/form-data; boundary=", b"x; boundary=\xff"])
def test_without_a_boundary_there_is_nothing(kind: bytes) -> None:
    """Nothing is guessed where the media type does not say where parts end."""
    assert upload(kind, whole(part('name="_word"', b"w"))) == NOTHING


@given(st.binary(max_size=200), st.binary(max_size=60))
def test_nothing_breaks_it(body: bytes, kind: bytes) -> None:
    """Whatever bytes come are read as something or nothing."""
    assert isinstance(upload(KIND, body), Upload)
    assert isinstance(upload(b"multipart/form-data; boundary=" + kind, b"--" + kind + b"\r\n" + body), Upload)
