"""Keys and what is done with them: sealed fields, keyed hashes, MACs over rows, link tokens and contact codes.

The operator holds a ring of master keys. From each come sub-keys, one a purpose; one of them wraps a random data key a
customer, under which that customer's personal fields are sealed. Erasing the wrapped key erases the customer. What is
kept longer than an answer starts with the id of the master key it was made with, so that a new one can be put in front
of the ring while the old ones still read; a key may leave the ring once nothing carries its id.

Everything here is computed; chance comes from `os.urandom` alone. Nonces are random and 96 bits long, so one master key
should wrap no more than 2^32 data keys and make no more than 2^32 links (NIST SP 800-38D section 8.3).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import re
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from holdback.core.events import ALIKE_BYTES, MAC_BYTES, Destination, Instant, Sealed

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_LINK_BLOCK: Final = 64
_LENGTHS: Final = [struct.Struct(f">B{count}I") for count in range(8)]
"""What stands before so many fields: their number in a byte, and the length of each in four."""
_FORMAT: Final = b"\x01"
"""First byte of every box, so that a later way of sealing can tell its own."""

TEXT: Final = "text"
"""The field of whatever is sealed without naming one."""
NONCE_BYTES: Final = 16
DESTINATION: Final = "destination"
"""The field of destinations of value."""


class SealBroken(Exception):
    """What was sealed was altered, belongs to another field or customer, or its key is not in the ring."""


class LinkInvalid(Exception):
    """A link token was altered, cut short, or made under a key that is not in the ring."""


class Link(msgspec.Struct, frozen=True, array_like=True):
    """What a link in a notice says: press it, and `contact` has answered `notice` of `account` with `purpose`.

    `expires_at` is for the reader to compare with its own clock.
    """

    account: str
    notice: str
    contact: str
    purpose: str
    expires_at: Instant


_LINKS: Final = msgspec.msgpack.Decoder(Link)
_ENCODER: Final = msgspec.msgpack.Encoder()


class CustomerKey:
    """One customer's key, unwrapped: seals, opens and compares that customer's fields.

    Example: `masters.unwrap(snapshot.key).seal("alice@example.com")`.
    """

    __slots__ = ("_hash", "_seal")

    def __init__(self, data_key: bytes) -> None:
        """Derive the key that seals (AES-256-GCM) and the one that hashes (HMAC-SHA256) from 32 random bytes."""
        self._seal = AESGCM(_derived(data_key, "customer seal"))
        self._hash = _derived(data_key, "customer hash")

    def mac(self, text: str, *, field: str = TEXT, network: str = "") -> bytes:
        """The keyed hash that `seal` gives a field: 16 bytes, equal only for equal text, field and network."""
        return self._hashed(b"mac", field, network, text)[:MAC_BYTES]

    def phrase_seed(self) -> bytes:
        """What the owner's anti-phishing phrase is made of, in notices and on pages alike."""
        return self.mac("phrase", field="phrase")

    def seal(self, text: str, *, field: str = TEXT, compared: str | None = None) -> Sealed:
        """Seal a personal field, known by its own text or by another spelling of it that it is compared by.

        Raises UnicodeEncodeError on a lone surrogate.
        """
        mac = self.mac(text if compared is None else compared, field=field)
        return Sealed(mac, self._boxed(text.encode(), _framed(field.encode(), mac, b"")))

    def seal_destination(
        self, text: str, *, network: str = "", compared: str | None = None, place: str = ""
    ) -> Destination:
        """Seal a destination of value, and hash what the eye would compare of it (see `skeleton`).

        It is known by its own text, or by another spelling of it that it is compared by. Where a memo belongs to it,
        `place` is the address alone: that is what the eye compares.

        With a network, both hashes are of that network alone. Without, a look-alike on another network is found as
        well, and one address on two networks is one.
        """
        known = text if compared is None else compared
        mac = self.mac(known, field=DESTINATION, network=network)
        alike = self._hashed(b"alike", DESTINATION, network, skeleton(place or known))[:ALIKE_BYTES]
        if place:
            alike += self.mac(place, field=DESTINATION, network=network)[:ALIKE_BYTES]
        return Destination(mac, self._boxed(text.encode(), _framed(DESTINATION.encode(), mac, alike)), alike)

    def open(self, sealed: Sealed, *, field: str | None = None) -> str:
        """The text that was sealed. Raises SealBroken, also if its hashes are not those it was sealed with.

        Without a field it is the one that the seal was made with by default.
        """
        if field is None:
            field = DESTINATION if sealed.alike else TEXT
        text = self._unboxed(sealed.box, _framed(field.encode(), sealed.mac, sealed.edges))
        try:
            return text.decode()
        except UnicodeDecodeError as error:
            raise SealBroken("what was sealed is no text") from error

    def seal_bytes(self, data: bytes, *, field: str) -> bytes:
        """Seal what is never compared, such as a stored answer."""
        return self._boxed(data, _framed(field.encode()))

    def open_bytes(self, box: bytes, *, field: str) -> bytes:
        """Undo `seal_bytes`. Raises SealBroken."""
        return self._unboxed(box, _framed(field.encode()))

    def _hashed(self, purpose: bytes, field: str, network: str, text: str) -> bytes:
        return hmac.digest(self._hash, _framed(purpose, field.encode(), network.encode(), text.encode()), "sha256")

    def _boxed(self, data: bytes, context: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return _FORMAT + nonce + self._seal.encrypt(nonce, data, context)

    def _unboxed(self, box: bytes, context: bytes) -> bytes:
        if box[:1] != _FORMAT:
            raise SealBroken("the box is not of a format this program opens")
        return _decrypted(self._seal, box[1:], context)


class _SubKeys(NamedTuple):
    """What one master key is used for, each purpose with a key of its own."""

    wrap: AESGCM
    link: AESGCM
    mac: bytes
    lookup: bytes
    code: bytes
    hide: bytes
    nonce: bytes
    mark: bytes
    canary: bytes


class MasterKeys:
    """The operator's ring of master keys, by id from 1 to 255. The first makes everything new, all of them read.

    Example: `MasterKeys.parse(settings.master_keys)`.
    """

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        """Derive all sub-keys. Raises ValueError on an empty ring, an id out of range, or a key not 32 bytes long."""
        if not keys:
            raise ValueError("the ring holds no master key")
        for key_id, key in keys.items():
            if not 1 <= key_id <= 255:  # noqa: PLR2004 - one byte, and zero left free
                raise ValueError(f"master key id {key_id} is not from 1 to 255")
            if len(key) != KEY_BYTES:
                raise ValueError(f"master key {key_id} is not {KEY_BYTES} bytes long")
        self._ring = {bytes((key_id,)): _sub_keys(key) for key_id, key in keys.items()}
        self._id, self._current = next(iter(self._ring.items()))

    def __repr__(self) -> str:
        """Name the keys and show none."""
        return f"MasterKeys({', '.join(str(key_id[0]) for key_id in self._ring)})"

    @classmethod
    def parse(cls, text: str) -> MasterKeys:
        """Read a ring as settings write it, `2:<base64>,1:<base64>`. Raises ValueError, which shows no key."""
        keys: dict[int, bytes] = {}
        for place, entry in enumerate(text.split(","), start=1):
            name, colon, encoded = entry.strip().partition(":")
            if not colon or not name.isascii() or not name.isdecimal():
                raise ValueError(f"master key number {place} is not written as id:base64")
            if int(name) in keys:
                raise ValueError(f"master key id {int(name)} is given twice")
            try:
                keys[int(name)] = base64.b64decode(encoded, validate=True)
            except (binascii.Error, ValueError):
                raise ValueError(f"master key {int(name)} is not base64") from None
        return cls(keys)

    @staticmethod
    def new_setting(key_id: int = 1) -> str:
        """A fresh master key as settings write it, to be put in front of those there are."""
        return f"{key_id}:{base64.b64encode(os.urandom(KEY_BYTES)).decode()}"

    @property
    def hide(self) -> bytes:
        """The current key for hashing secrets and whole requests before their digest is stored."""
        return self._current.hide

    def mark_keys(self) -> dict[int, bytes]:
        """The keys that mark exports, by the id of the master key, the current one first. What they mark names it."""
        return {key_id[0]: keys.mark for key_id, keys in self._ring.items()}

    @property
    def ids(self) -> frozenset[int]:
        """The ids of the keys in the ring."""
        return frozenset(key_id[0] for key_id in self._ring)

    @property
    def current_id(self) -> int:
        """The id of the key that makes everything new."""
        return self._id[0]

    def canary_keys(self) -> dict[int, bytes]:
        """The keys that choose canary accounts, likewise: canaries stay chosen by the key they were chosen by."""
        return {key_id[0]: keys.canary for key_id, keys in self._ring.items()}

    def new_key(self) -> bytes:
        """A fresh customer's key, wrapped."""
        return self.wrap(os.urandom(KEY_BYTES))

    def wrap(self, new_data_key: bytes) -> bytes:
        """A customer's 32 random bytes as they are stored: key id, nonce, ciphertext; 61 bytes. Raises ValueError."""
        if len(new_data_key) != KEY_BYTES:
            raise ValueError(f"a data key is {KEY_BYTES} bytes long")
        nonce = os.urandom(_NONCE_BYTES)
        return self._id + nonce + self._current.wrap.encrypt(nonce, new_data_key, self._id)

    def unwrap(self, wrapped: bytes) -> CustomerKey:
        """A customer's key, ready for use. Raises SealBroken."""
        return CustomerKey(self._unwrapped(wrapped))

    def rewrap(self, wrapped: bytes) -> bytes:
        """The same customer's key under the current master key; as it was if it already is. Raises SealBroken."""
        data_key = self._unwrapped(wrapped)
        return wrapped if wrapped[:1] == self._id else self.wrap(data_key)

    def _unwrapped(self, wrapped: bytes) -> bytes:
        key_id = wrapped[:1]
        keys = self._ring.get(key_id)
        if keys is None:
            raise SealBroken("the customer's key was wrapped by a master key that is not in the ring")
        return _decrypted(keys.wrap, wrapped[1:], key_id)

    def snapshot_mac(self, version: int, account: str, seq: int, link: bytes, head: bytes, key: bytes) -> bytes:  # noqa: PLR0913, PLR0917 - the row's columns
        """Key id and 16 bytes over a customer's head, version, place in the chain and wrapped key (law 9)."""
        return self._id + _mac(self._current.mac, _snapshot(version, account, seq, link, head, key))

    def check_snapshot(  # noqa: PLR0913, PLR0917 - the row's columns
        self, version: int, account: str, seq: int, link: bytes, head: bytes, key: bytes, mac: bytes
    ) -> bool:
        """Whether a head row is as it was written, under any key of the ring."""
        return self._checks(mac, _snapshot(version, account, seq, link, head, key))

    def part_mac(self, account: str, kind: str, name: str, body: bytes) -> bytes:
        """Key id and 16 bytes over a part row."""
        return self._id + _mac(self._current.mac, _part(account, kind, name, body))

    def check_part(self, account: str, kind: str, name: str, body: bytes, mac: bytes) -> bool:
        """Whether a part row is as it was written, under any key of the ring."""
        return self._checks(mac, _part(account, kind, name, body))

    def _checks(self, mac: bytes, message: bytes) -> bool:
        keys = self._ring.get(mac[:1])
        return keys is not None and hmac.compare_digest(_mac(keys.mac, message), mac[1:])

    def lookup_hash(self, kind: str, text: str) -> bytes:
        """Key id and 32 bytes by which a name or contact is found across customers without being stored."""
        return self._id + _looked_up(self._current, kind, text)

    def lookup_hashes(self, kind: str, text: str) -> tuple[bytes, ...]:
        """The same under every key of the ring, the current one first, for what was stored before a rotation."""
        return tuple(key_id + _looked_up(keys, kind, text) for key_id, keys in self._ring.items())

    def link_token(self, account: str, notice: str, contact: str, purpose: str, expires_at: Instant) -> str:
        """A link's token for a URL. It is encrypted and padded, so that logs and proxies on its way learn nothing."""
        body = _ENCODER.encode(Link(account, notice, contact, purpose, expires_at)) + b"\x80"
        nonce = os.urandom(_NONCE_BYTES)
        padded = body + bytes(-len(body) % _LINK_BLOCK)
        token = self._id + nonce + self._current.link.encrypt(nonce, padded, self._id)
        return base64.urlsafe_b64encode(token).decode().rstrip("=")

    def read_link(self, token: str) -> Link:
        """What a link's token says. Raises LinkInvalid; whether it has expired is for the caller to judge."""
        try:
            data = base64.b64decode(token + "=" * (-len(token) % 4), altchars="-_", validate=True)
        except (binascii.Error, ValueError):
            raise LinkInvalid("the token is not base64url") from None
        # The last character may carry bits that say nothing; a token has one spelling only.
        if base64.urlsafe_b64encode(data).decode().rstrip("=") != token:
            raise LinkInvalid("the token is not written as it was made")
        keys = self._ring.get(data[:1])
        if keys is None:
            raise LinkInvalid("the token was made under a key that is not in the ring")
        try:
            padded = _decrypted(keys.link, data[1:], data[:1])
            return _LINKS.decode(padded.rstrip(b"\x00")[:-1])
        except (SealBroken, msgspec.DecodeError):
            raise LinkInvalid("the token was altered") from None

    def token(self, purpose: str, body: bytes) -> str:
        """Bytes for somebody to bring back, who can neither read nor change them."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._id + nonce + self._current.link.encrypt(nonce, body, _framed(self._id, purpose.encode()))
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def read_token(self, purpose: str, token: str) -> bytes:
        """What was brought back. Raises LinkInvalid if it was not made here for this purpose."""
        try:
            data = base64.b64decode(token + "=" * (-len(token) % 4), altchars="-_", validate=True)
        except (binascii.Error, ValueError):
            raise LinkInvalid("the token is not base64url") from None
        keys = self._ring.get(data[:1])
        if keys is None:
            raise LinkInvalid("the token was made under a key that is not in the ring")
        try:
            return _decrypted(keys.link, data[1:], _framed(data[:1], purpose.encode()))
        except SealBroken:
            raise LinkInvalid("the token was altered") from None

    def spoken(self, account: str, request: str, at: Instant, agency: str) -> tuple[bytes, ...]:
        """What the phrase for one legal request is made of, for each key of the ring, the current one first.

        When it came in is in it: a request of the same id has another phrase.
        """
        message = _framed(b"legal", account.encode(), request.encode(), at.to_bytes(8), agency.encode())
        return tuple(hmac.digest(keys.code, message, "sha256") for keys in self._ring.values())

    def nonces(self, account: str, step_up: str, until: Instant) -> tuple[bytes, ...]:
        """What makes the challenge of one step-up unpredictable: 16 bytes for each key of the ring, current one first.

        Nothing has to store it. The step-up's end is in it, for a restored store may give its id again.
        """
        message = _framed(account.encode(), step_up.encode(), until.to_bytes(8))
        return tuple(hmac.digest(keys.nonce, message, "sha256")[:NONCE_BYTES] for keys in self._ring.values())

    def contact_code(self, account: str, subject: str, contact: str, digits: int = 8) -> str:
        """The code sent to a contact for one subject (a challenge's id, or `confirm:...`); nothing has to store it."""
        return _code(self._current.code, account, subject, contact, digits)

    def check_contact_code(self, code: str, account: str, subject: str, contact: str, digits: int = 8) -> bool:
        """Whether this is that code, under any key of the ring, spaces aside. Counting tries is for the caller."""
        shown = "".join(code.split()).encode(errors="replace")
        right = [
            hmac.compare_digest(_code(keys.code, account, subject, contact, digits).encode(), shown)
            for keys in self._ring.values()
        ]
        return any(right)


_CONSTANT: Final = re.compile("bitcoincash:[qp]|bcrt1[qp]|ltc1[qp]|addr1|bc1[qp]|tb1[qp]|0x")
"""Beginnings that all addresses of a family share."""

_ALIKE: Final = str.maketrans("01i|582", "olllsbz")
"""Characters that are taken for one another, a zero for an o, a one for an l."""

_TRON_LENGTH: Final = 34
_EDGE: Final = 4
_READ_WHOLE: Final = 16


def skeleton(text: str) -> str:
    """What the eye compares of a destination: its first and last 4 characters, in one case, after a constant prefix.

    In *address poisoning* a thief makes an address with the same edges, lets it appear in the victim's history by a
    worthless payment, and waits for it to be copied: on 3 May 2024, 1,155 WBTC, about $70 million, went to
    0xd9A1C3...853a91 instead of 0xd9A1b0...853a91 (SlowMist, 8 May 2024). Wallets show the edges and hide the middle,
    in mixed case that nobody compares. A prefix such as `0x`, `bc1q` or Tron's `T` is stripped, for it tells nothing
    apart and would fill the four characters by itself. Texts of up to 16 characters (counterparties, short account
    numbers) are read as a whole. Characters that look like one another count as one. Edges that agree in fewer
    characters are not found: this is a net, not a proof.
    """
    folded = text.strip().casefold()
    constant = _CONSTANT.match(folded)
    prefix = constant[0] if constant else ""
    if not prefix and len(folded) == _TRON_LENGTH and folded.startswith("t"):
        prefix = "t"
    rest = folded.removeprefix(prefix)
    edges = rest if len(rest) <= _READ_WHOLE else rest[:_EDGE] + rest[-_EDGE:]
    return edges.translate(_ALIKE)


def _derived(key: bytes, purpose: str) -> bytes:
    """HKDF-Expand with SHA-256 for one block (RFC 5869 section 2.3); keys are uniform, so extracting first is idle."""
    return hmac.digest(key, f"holdback {purpose} 1".encode() + b"\x01", "sha256")


def _sub_keys(master: bytes) -> _SubKeys:
    return _SubKeys(
        wrap=AESGCM(_derived(master, "wrap")),
        link=AESGCM(_derived(master, "link")),
        mac=_derived(master, "mac"),
        lookup=_derived(master, "lookup"),
        code=_derived(master, "code"),
        hide=_derived(master, "hide"),
        nonce=_derived(master, "nonce"),
        mark=_derived(master, "mark"),
        canary=_derived(master, "canary"),
    )


def _framed(*fields: bytes) -> bytes:
    """Fields one after another behind their number and lengths, so that no two lists of fields give the same bytes."""
    return _LENGTHS[len(fields)].pack(len(fields), *map(len, fields)) + b"".join(fields)


def _decrypted(key: AESGCM, data: bytes, context: bytes) -> bytes:
    try:
        return key.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], context)
    except (InvalidTag, ValueError):
        raise SealBroken("what was sealed was altered, or under another key or for another field") from None


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")[:MAC_BYTES]


def _snapshot(version: int, account: str, seq: int, link: bytes, head: bytes, key: bytes) -> bytes:  # noqa: PLR0913, PLR0917 - the row's columns
    # Signed, for a tampered row may hold any number the database can, and must fail the check rather than raise.
    return _framed(
        b"snapshot", version.to_bytes(8, signed=True), account.encode(), seq.to_bytes(8, signed=True), link, head, key
    )


def _part(account: str, kind: str, name: str, body: bytes) -> bytes:
    return _framed(b"part", account.encode(), kind.encode(), name.encode(), body)


def _looked_up(keys: _SubKeys, kind: str, text: str) -> bytes:
    return hmac.digest(keys.lookup, _framed(kind.encode(), text.encode()), "sha256")


def _code(key: bytes, account: str, subject: str, contact: str, digits: int) -> str:
    """A digest of 256 bits taken modulo a power of ten: the bias cannot be noticed."""
    hashed = hmac.digest(key, _framed(account.encode(), subject.encode(), contact.encode(), bytes((digits,))), "sha256")
    return f"{int.from_bytes(hashed) % 10**digits:0{digits}d}"
