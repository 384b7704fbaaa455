"""What sealing promises: only the right key opens, every altered byte is noticed, and equal text gives equal hashes."""

from __future__ import annotations

import base64
import struct

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import assume, given
from hypothesis import strategies as st

from holdback.core.events import ALIKE_BYTES, MAC_BYTES, Destination, Sealed
from holdback.sealing import CustomerKey, LinkInvalid, MasterKeys, SealBroken, skeleton

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
MASTERS = MasterKeys({1: OLD})
ROTATED = MasterKeys({2: NEW, 1: OLD})
FORGOTTEN = MasterKeys({2: NEW})
KEY = CustomerKey(bytes(32))
OTHER_KEY = CustomerKey(b"\x01" * 32)

NOT_TEXT_MESSAGE = "what was sealed is no text"

texts = st.text(st.characters(codec="utf-8"), max_size=200)
fields = st.sampled_from(["text", "contact", "credential", "destination"])
networks = st.sampled_from(["", "bitcoin", "ethereum", "bank"])


def altered(data: bytes, place: int, flip: int) -> bytes:
    """The same bytes but for one bit pattern at one place."""
    place %= len(data)
    return data[:place] + bytes((data[place] ^ flip,)) + data[place + 1 :]


@given(texts, fields)
def test_what_is_sealed_opens(text: str, field: str) -> None:
    """The customer's key gives back exactly what was sealed, through the stored form."""
    stored = KEY.seal(text, field=field).packed

    assert KEY.open(Sealed.unpacked(stored), field=field) == text


@given(texts, networks)
def test_destinations_open(text: str, network: str) -> None:
    """A destination opens without naming its network, which its sealing bound all the same."""
    sealed = KEY.seal_destination(text, network=network)
    stored = Destination.unpacked(sealed.packed)

    assert KEY.open(stored) == KEY.open(stored, field="destination") == text
    assert (len(sealed.mac), len(sealed.alike)) == (MAC_BYTES, ALIKE_BYTES)


@given(texts, st.integers(min_value=0), st.integers(1, 255))
def test_altered_boxes_stay_shut(text: str, place: int, flip: int) -> None:
    """One altered byte anywhere, the hashes beside the box included, and it does not open."""
    stored = KEY.seal_destination(text).packed
    try:
        tampered = Sealed.unpacked(altered(stored, place, flip))
    except ValueError:
        return

    with pytest.raises(SealBroken):
        KEY.open(tampered, field="destination")


@given(texts, st.integers(0, 40))
def test_cut_boxes_stay_shut(text: str, kept: int) -> None:
    """A box that was cut short does not open, however short."""
    sealed = KEY.seal(text)
    assume(kept < len(sealed.box))

    with pytest.raises(SealBroken):
        KEY.open(Sealed(sealed.mac, sealed.box[:kept]))


def test_boxes_stay_where_they_are() -> None:
    """What was sealed for one customer or field opens for no other."""
    sealed = KEY.seal("JBSWY3DPEHPK3PXP", field="credential")

    with pytest.raises(SealBroken):
        OTHER_KEY.open(sealed, field="credential")
    with pytest.raises(SealBroken):
        KEY.open(sealed, field="label")


def test_sealing_twice_shows_nothing() -> None:
    """Equal texts have equal hashes but boxes that nobody can match."""
    first, second = KEY.seal("alice@example.com"), KEY.seal("alice@example.com")

    assert first.mac == second.mac
    assert first.box != second.box


@given(texts, texts, fields, fields, networks, networks)
def test_hashes_agree_only_for_the_same(one: str, two: str, f1: str, f2: str, n1: str, n2: str) -> None:  # noqa: PLR0913, PLR0917 - two of each
    """Two hashes of one customer are equal if and only if text, field and network are."""
    same = (one, f1, n1) == (two, f2, n2)

    assert (KEY.mac(one, field=f1, network=n1) == KEY.mac(two, field=f2, network=n2)) is same
    assert KEY.mac(one, field=f1) != OTHER_KEY.mac(one, field=f1)


def test_the_hash_can_be_had_without_sealing() -> None:
    """`mac` alone gives the hash that sealing would, so that something can be looked for."""
    assert KEY.mac("alice") == KEY.seal("alice").mac
    assert (
        KEY.mac("bc1q", field="destination", network="bitcoin") == KEY.seal_destination("bc1q", network="bitcoin").mac
    )


@given(st.binary(max_size=200), st.integers(min_value=0), st.integers(1, 255))
def test_sealed_bytes(data: bytes, place: int, flip: int) -> None:
    """Sealed bytes open unless a byte of them was altered, and only as what they were sealed for."""
    box = KEY.seal_bytes(data, field="answer")

    assert KEY.open_bytes(box, field="answer") == data
    with pytest.raises(SealBroken):
        KEY.open_bytes(altered(box, place, flip), field="answer")
    with pytest.raises(SealBroken):
        KEY.open_bytes(box, field="other")


def test_sealed_bytes_are_no_field() -> None:
    """A box of bytes cannot be passed off as a sealed field."""
    with pytest.raises(SealBroken):
        KEY.open(Sealed(KEY.mac("x"), KEY.seal_bytes(b"x", field="text")))


POISONED = [
    ("0xd9A1b0B1e1aE382DbDc898Ea68012FfcB2853a91", "0xd9A1C3788D81257612E2581A6ea0aDa244853a91"),
    ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "bc1pw508zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz8f3t4"),
    ("TLa2f6VPqDgRE67v1736s7bJ8Ray5wYjU7", "TLA2Fzzzzzzzzzzzzzzzzzzzzzzzzzyju7"),
]


@pytest.mark.parametrize(("mine", "thiefs"), POISONED, ids=["wbtc-2024", "segwit-and-taproot", "tron"])
def test_look_alikes_are_found(mine: str, thiefs: str) -> None:
    """Addresses whose ends the eye takes for the same look alike, and are still told apart."""
    ours, theirs = KEY.seal_destination(mine), KEY.seal_destination(thiefs)

    assert ours.alike == theirs.alike
    assert ours.mac != theirs.mac


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("0xd9A1b0B1e1aE382DbDc898Ea68012FfcB2853a91", "0xd9A2b0B1e1aE382DbDc898Ea68012FfcB2853a91"),
        ("0xd9A1b0B1e1aE382DbDc898Ea68012FfcB2853a91", "0xd9A1b0B1e1aE382DbDc898Ea68012FfcB2853a92"),
        ("customer-1001", "customer-2001"),
    ],
    ids=["front", "back", "short"],
)
def test_others_do_not_look_alike(one: str, two: str) -> None:
    """A difference at the ends, or anywhere in a short name, is one that people see."""
    assert KEY.seal_destination(one).alike != KEY.seal_destination(two).alike


def test_looks_are_of_one_network_if_it_is_named() -> None:
    """With a network named, an address on another is neither the same nor alike."""
    here, there = KEY.seal_destination("x" * 40, network="ethereum"), KEY.seal_destination("x" * 40, network="polygon")

    assert here.mac != there.mac
    assert here.alike != there.alike


@given(texts)
def test_a_skeleton_is_short_and_blind_to_case(text: str) -> None:
    """What the eye compares is at most 16 characters, and survives being looked at twice."""
    assert len(skeleton(text)) <= 16
    assert skeleton(text.casefold()) == skeleton(text)


def test_new_keys_are_new() -> None:
    """Every customer's key is another, and wrapped ones tell nothing about the data key."""
    assert MASTERS.new_key() != MASTERS.new_key()
    assert MASTERS.wrap(bytes(32)) != MASTERS.wrap(bytes(32))
    assert len(MASTERS.new_key()) == 61


def test_rotation_keeps_old_customers() -> None:
    """After a new master key is put in front, old customers' keys unwrap and can be wrapped anew without resealing."""
    wrapped = MASTERS.new_key()
    sealed = MASTERS.unwrap(wrapped).seal("alice")
    rewrapped = ROTATED.rewrap(wrapped)

    assert ROTATED.unwrap(wrapped).open(sealed) == "alice"
    assert (wrapped[0], rewrapped[0]) == (1, 2)
    assert FORGOTTEN.unwrap(rewrapped).open(sealed) == "alice"
    assert ROTATED.rewrap(rewrapped) == rewrapped
    with pytest.raises(SealBroken):
        FORGOTTEN.unwrap(wrapped)


@given(st.integers(min_value=0), st.integers(1, 255))
def test_altered_wraps_stay_shut(place: int, flip: int) -> None:
    """A wrapped key with an altered byte, its key id included, does not unwrap."""
    with pytest.raises(SealBroken):
        ROTATED.unwrap(altered(MASTERS.wrap(bytes(32)), place, flip))


@pytest.mark.parametrize("wrapped", [b"", b"\x01", b"\x01" + bytes(11)], ids=len)
def test_stumps_stay_shut(wrapped: bytes) -> None:
    """What is too short to be a wrapped key is refused like an altered one."""
    with pytest.raises(SealBroken):
        MASTERS.unwrap(wrapped)


rows = st.tuples(
    st.integers(0, 2**63 - 1),
    st.text(max_size=8),
    st.integers(0, 2**63 - 1),
    st.binary(max_size=8),
    st.binary(),
    st.binary(),
)


@given(rows, rows)
def test_snapshot_macs_agree_only_for_the_same(
    one: tuple[int, str, int, bytes, bytes, bytes], two: tuple[int, str, int, bytes, bytes, bytes]
) -> None:
    """A head row passes with its own MAC and no other row's, whatever bytes move from column to column."""
    assert MASTERS.check_snapshot(*one, MASTERS.snapshot_mac(*one))
    assert MASTERS.check_snapshot(*two, MASTERS.snapshot_mac(*one)) is (one == two)


def test_bytes_do_not_move_between_columns() -> None:
    """The end of one column cannot become the beginning of the next."""
    assert not MASTERS.check_snapshot(
        1, "a", 1, b"li", b"nkhead", b"k", MASTERS.snapshot_mac(1, "a", 1, b"link", b"head", b"k")
    )
    assert not MASTERS.check_part("a", "device", "d1", b"", MASTERS.part_mac("a", "device", "d", b"1"))


@given(st.integers(min_value=0), st.integers(1, 255))
def test_altered_macs_fail(place: int, flip: int) -> None:
    """An altered MAC never passes, nor does an empty one, nor a head's MAC for a part."""
    row = ("a", "device", "d", b"body")
    mac = MASTERS.part_mac(*row)

    assert MASTERS.check_part(*row, mac)
    assert len(mac) == 17
    assert not MASTERS.check_part(*row, altered(mac, place, flip))
    assert not MASTERS.check_part(*row, b"")
    assert not MASTERS.check_part(*row, mac[:1])
    assert not MASTERS.check_snapshot(1, "a", 1, b"", b"", b"", mac)


def test_impossible_numbers_fail() -> None:
    """A tampered row with a negative number fails its check like any other."""
    assert not MASTERS.check_snapshot(-1, "a", -1, b"", b"", b"", MASTERS.snapshot_mac(1, "a", 1, b"", b"", b""))


def test_macs_outlive_rotation() -> None:
    """Rows written before a rotation pass while their key is in the ring, and not after."""
    mac = MASTERS.part_mac("a", "device", "d", b"body")

    assert ROTATED.check_part("a", "device", "d", b"body", mac)
    assert not FORGOTTEN.check_part("a", "device", "d", b"body", mac)


def test_lookup_hashes() -> None:
    """A name has one hash a kind and key, and after a rotation what was stored before is still found."""
    before = MASTERS.lookup_hash("name", "alice")

    assert before == MASTERS.lookup_hash("name", "alice")
    assert before not in {MASTERS.lookup_hash("name", "alicf"), MASTERS.lookup_hash("contact", "alice")}
    assert ROTATED.lookup_hashes("name", "alice") == (ROTATED.lookup_hash("name", "alice"), before)
    assert (before[0], len(before)) == (1, 33)


@given(texts, texts, st.integers(-(2**63), 2**63 - 1))
def test_links_say_what_was_put_in(account: str, purpose: str, expires_at: int) -> None:
    """A link's token reads back as it was made, also after a rotation, and its length tells next to nothing."""
    token = MASTERS.link_token(account, "7-1", "c2", purpose, expires_at)
    link = ROTATED.read_link(token)

    assert (link.account, link.notice, link.contact) == (account, "7-1", "c2")
    assert (link.purpose, link.expires_at) == (purpose, expires_at)
    assert token.isascii()
    assert "=" not in token
    assert (len(base64.urlsafe_b64decode(token + "==")) - 29) % 64 == 0


TOKEN = MASTERS.link_token("acct-1", "7-1", "c2", "freeze", 1_700_000_000_000)


@given(st.integers(0, len(TOKEN) - 1), st.characters())
def test_altered_links_are_refused(place: int, char: str) -> None:
    """A token with any one character changed is no token."""
    assume(char != TOKEN[place])

    with pytest.raises(LinkInvalid):
        MASTERS.read_link(TOKEN[:place] + char + TOKEN[place + 1 :])


@given(st.text() | st.integers(0, len(TOKEN) - 1).map(lambda kept: TOKEN[:kept]) | st.just(TOKEN + "="))
def test_nonsense_is_no_link(token: str) -> None:
    """What was never a token, or only its beginning, is refused in the same way."""
    with pytest.raises(LinkInvalid):
        MASTERS.read_link(token)


def test_links_end_with_their_key() -> None:
    """A token made under a key that left the ring is refused."""
    with pytest.raises(LinkInvalid):
        FORGOTTEN.read_link(TOKEN)


def test_contact_codes() -> None:
    """A code is the same each time it is worked out, and another for any other account, subject or contact."""
    code = MASTERS.contact_code("acct-1", "s7", "c2")
    others = {
        MASTERS.contact_code("acct-2", "s7", "c2"),
        MASTERS.contact_code("acct-1", "s8", "c2"),
        MASTERS.contact_code("acct-1", "s7", "c3"),
        MASTERS.contact_code("acct-1s", "7", "c2"),
        FORGOTTEN.contact_code("acct-1", "s7", "c2"),
    }

    assert code == MASTERS.contact_code("acct-1", "s7", "c2")
    assert (len(code), code.isdecimal(), code in others, len(others)) == (8, True, False, 5)


@given(st.text(max_size=12))
def test_only_the_code_is_the_code(guess: str) -> None:
    """Whatever else is typed is wrong, without raising."""
    code = MASTERS.contact_code("acct-1", "s7", "c2")
    assume("".join(guess.split()) != code)

    assert not MASTERS.check_contact_code(guess, "acct-1", "s7", "c2")


def test_codes_as_people_type_them() -> None:
    """Spaces do not matter, a rotation between sending and typing does not matter, the number of digits does."""
    code = MASTERS.contact_code("acct-1", "s7", "c2")

    assert MASTERS.check_contact_code(f" {code[:4]} {code[4:]} ", "acct-1", "s7", "c2")
    assert ROTATED.check_contact_code(code, "acct-1", "s7", "c2")
    assert not FORGOTTEN.check_contact_code(code, "acct-1", "s7", "c2")
    assert not MASTERS.check_contact_code(code[:6], "acct-1", "s7", "c2", digits=6)
    assert MASTERS.check_contact_code(MASTERS.contact_code("a", "s", "c", 6), "a", "s", "c", 6)


def test_settings_text() -> None:
    """A ring is read from settings, the first key is the current one, and nothing prints a key."""
    text = f"2:{base64.b64encode(NEW).decode()}, 1:{base64.b64encode(OLD).decode()}"
    ring = MasterKeys.parse(text)

    assert ring.hide == FORGOTTEN.hide != MASTERS.hide
    assert ring.unwrap(MASTERS.new_key()).mac("x")
    assert repr(ring) == "MasterKeys(2, 1)"
    assert repr(MasterKeys.parse(MasterKeys.new_setting(9))) == "MasterKeys(9)"


SECRET = base64.b64encode(OLD).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        SECRET,
        f"one:{SECRET}",
        f"\xb2:{SECRET}",
        f"0:{SECRET}",
        f"256:{SECRET}",
        f"1:{SECRET[:-4]}",
        f"1:{SECRET}!",
        f"1:{SECRET},1:{SECRET}",
        f"1:{SECRET},",
    ],
)
def test_bad_settings_are_refused(text: str) -> None:
    """A ring that is not written as it should be is refused, without repeating a key in the message."""
    with pytest.raises(ValueError, match=r"key|ring") as refused:
        MasterKeys.parse(text)

    assert SECRET[:8] not in str(refused.value)


def test_keys_have_one_length() -> None:
    """Keys of any other length than 32 bytes are refused."""
    with pytest.raises(ValueError, match="no master key"):
        MasterKeys({})
    with pytest.raises(ValueError, match="32 bytes"):
        MASTERS.wrap(bytes(16))


def test_derivation_is_the_standards() -> None:
    """Sub-keys are HKDF-Expand (RFC 5869), as another implementation computes it."""
    expected = HKDFExpand(SHA256(), 32, b"holdback hide 1").derive(OLD)

    assert expected == MASTERS.hide


def test_what_was_sealed_as_no_text() -> None:
    """A box whose content is no text is as broken as an altered one."""
    mac = KEY.mac("x")
    fields = (b"text", mac, b"")
    framed = struct.pack(">B3I", 3, *map(len, fields)) + b"".join(fields)
    box = KEY._boxed(b"\xff", framed)  # noqa: SLF001 - nothing public can make such a box

    with pytest.raises(SealBroken, match=NOT_TEXT_MESSAGE):
        KEY.open(Sealed(mac, box))
