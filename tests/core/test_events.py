"""The vocabulary: what is stored of an event, and what of a personal field may be seen."""

from __future__ import annotations

import types
import typing
from enum import Enum
from typing import Any

import msgspec
import pytest
from tests.core.histories import destination, sealed

from holdback.core import events as ev

EVENTS = typing.get_args(ev.AnyEvent)


def sample(kind: Any) -> Any:  # noqa: ANN401 - a value of any type
    """Some value of a type."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return tuple(sample(one) for one in args if one is not Ellipsis)
    if origin in {typing.Union, types.UnionType}:
        return sample(args[0])
    if isinstance(kind, type) and issubclass(kind, Enum):
        return list(kind)[-1]
    if isinstance(kind, type) and issubclass(kind, ev.Sealed):
        return sealed("something")
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        hints = typing.get_type_hints(kind)
        return kind(*(sample(hints[name]) for name in kind.__struct_fields__))
    return {int: 1_700_000_000_000, str: "text", bytes: b"bytes", bool: True}[kind]


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__struct_config__.tag)
def test_every_event_is_stored_and_read_back(kind: type[ev.Event]) -> None:
    """What is written of an event is what is read, sealed fields included; the tag leads."""
    event = sample(kind)
    body = ev.ENCODER.encode((event,))
    assert ev.decode_events(body) == (event,)
    assert msgspec.msgpack.decode(body)[0][0] == kind.__struct_config__.tag


def test_tags_are_unique() -> None:
    """No two events share a tag, for the tag alone says what a stored row is."""
    tags = [kind.__struct_config__.tag for kind in EVENTS]
    assert len(set(tags)) == len(tags)


def test_an_older_row_is_read_by_a_newer_program() -> None:
    """A field added at the end has a default, so rows from before it still read."""
    body = msgspec.msgpack.encode([["exit.allowed", 1, "x1", "card", "card", "others", 5, b"", "alice"]])
    (event,) = ev.decode_events(body)
    assert isinstance(event, ev.ExitAllowed)
    assert event.usual_micro_usd == 0


def test_what_is_no_event_is_an_error() -> None:
    """A body that nothing wrote does not read as events."""
    with pytest.raises(msgspec.DecodeError):
        ev.decode_events(msgspec.msgpack.encode([["no.such.event", 1]]))


class TestSealed:
    """A personal field as the core sees it."""

    def test_it_packs_and_unpacks(self) -> None:
        """Hash, looks and box survive storage."""
        for one in (sealed("mail"), destination("somewhere")):
            again = type(one).unpacked(one.packed)
            assert again == one
            assert (again.mac, again.alike, again.box) == (one.mac, one.alike, one.box)

    @pytest.mark.parametrize("data", [b"", b"\0", b"\0" + bytes(15), b"\x08" + bytes(20)], ids=len)
    def test_a_stump_is_refused(self, data: bytes) -> None:
        """A string too short to hold what its first byte promises is an error."""
        with pytest.raises(ValueError, match="too short"):
            ev.Sealed.unpacked(data)

    def test_equality_is_of_what_is_stored(self) -> None:
        """Equal plaintexts sealed twice share a hash but are different stored values; nothing else is equal."""
        one = sealed("mail")
        other = ev.Sealed(one.mac, b"another box")
        assert one == sealed("mail")
        assert one != other
        assert one != "mail"
        assert hash(one) == hash(other)

    def test_nothing_personal_shows(self) -> None:
        """The text form shows the first bytes of the keyed hash and nothing else."""
        one = sealed("alice@example.org")
        assert repr(one) == f"Sealed({one.mac[:4].hex()}...)"
        assert one.name == one.mac.hex()


def test_only_sealed_fields_have_a_form_of_their_own() -> None:
    """Anything else that is neither text, number nor struct cannot be stored or read by mistake."""
    with pytest.raises(TypeError, match="cannot store a object"):
        ev.ENCODER.encode(object())
    with pytest.raises((TypeError, msgspec.ValidationError), match="complex"):
        ev.stored_decoder(complex).decode(msgspec.msgpack.encode(1))
