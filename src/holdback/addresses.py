"""Addresses of value: whether one is written as its network writes them, and the one spelling it is compared by.

A wrong character is found by the checksum of its family: Bech32 and Bech32m (BIP-173, BIP-350), Base58Check, and the
case of EIP-55. Solana's addresses have none, nor have those that are known by a pattern only: there any text of the
right shape is somebody's address, or nobody's. Which network has which family, the policy says (`[networks]`).

Nothing is corrected. What is taken is kept and paid as it was written; two spellings of one address (Bech32 in either
case, hexadecimal in any) are compared as one.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import cache, reduce
from operator import xor
from typing import TYPE_CHECKING, Final, assert_never

from Crypto.Hash import keccak

from holdback.spelling import Spelled, with_memo

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from holdback.core.policy import Network

LONGEST: Final = 128
"""The longest address that is read, in characters. Reading Base58 takes time with the square of its length."""

BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
RIPPLE: Final = "rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"
"""The same letters in the order of the XRP Ledger."""
BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

_FROM_RIPPLE: Final = str.maketrans(RIPPLE, BASE58)
_TO_RIPPLE: Final = str.maketrans(BASE58, RIPPLE)
_DIGITS: Final = {char: value for value, char in enumerate(BASE58)}
_NO_WORD: Final = 0xFF
_WORDS: Final = bytes(BECH32.find(chr(code)) & _NO_WORD for code in range(256))
"""The word of each byte of a Bech32 text."""
_BASE32: Final = bytes.maketrans(bytes(range(32)), b"0123456789abcdefghijklmnopqrstuv")
"""The digits by which Python reads numbers of base 32."""
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_FOLDED: Final = tuple(
    reduce(xor, (one for place, one in enumerate(_GENERATOR) if top >> place & 1), 0) for top in range(32)
)
"""What each value of the top five bits adds to the rest, so that a character costs one step."""
_BECH32_MOST: Final = 90
PLAIN, BECH32M = 1, 0x2BC830A3
"""What the checksum of Bech32 leaves, and that of Bech32m."""
_CHECK_WORDS: Final = 6
_HASHES: Final = (20, 32)
"""How many bytes the hash of a key has, or of a script. Without a length Bech32 misses a `q` before a last `p`."""
_CHECK_BYTES: Final = 4
_HASH_BYTES: Final = 20
_EVM: Final = re.compile(r"0x[0-9a-fA-F]{40}")

HERE: Final = frozenset({"internal", "p2p", "card", "own"})
"""Where customers of this platform are named."""

BANK: Final = "bank"
_APART: Final = re.compile(r"[\s-]")
_BETWEEN: Final = re.compile(r"[\s./-]")
_ACCOUNT: Final = re.compile(r"[A-Z0-9]+")
_IBAN: Final = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_IBAN_WORD: Final = "IBAN"
_MODULUS: Final = 97
"""Letters count as 10 to 35, what stands first goes last, and 1 is left (ISO 13616, ISO/IEC 7064 MOD 97-10)."""

_MEMOS: Final = {"number": re.compile(r"0|[1-9][0-9]{0,9}"), "text": re.compile(r"[!-~]{1,128}")}
_MEMO_MOST: Final = 2**32 - 1
"""The largest destination tag (XRP Ledger, UInt32)."""

CHECKSUM_FREE: Final = frozenset({"base58", "pattern"})
"""Families in which no wrong character is found, and EVM addresses in one case beside them."""


class BadMemo(ValueError):
    """A memo that this destination does not have, or not so."""


def spelled(networks: Mapping[str, Network], network: str, text: str, memo: str = "") -> Spelled:
    """A destination as it is kept and as it is compared. Raises ValueError saying what is wrong, BadMemo of the memo.

    A customer here is named as he is. An account at a bank is compared by its letters and digits. One address with two
    memos is two destinations, and without any a third.
    """
    listed = networks.get(network)
    if memo:
        _check_memo(listed.memo if listed is not None else "", memo)
    if listed is not None:
        place = normal(listed, text)
        return Spelled(with_memo(text, memo), with_memo(place, memo), place if memo else "")
    if network == BANK:
        return Spelled(text, _bank_account(text))
    return Spelled(text, text if network in HERE else _APART.sub("", text).upper() or text)


def spelled_once(networks: Mapping[str, Network], network: str, text: str, memo: str = "") -> Spelled:
    """The same of what was taken before, even if it would not be now: then it is known as it was written."""
    try:
        place = spelled(networks, network, text).compared
    except ValueError:
        place = text
    return Spelled(with_memo(text, memo), with_memo(place, memo), place if memo else "")


def _bank_account(text: str) -> str:
    """The one spelling of an account number, or an IBAN without a wrong digit.

    Banks read over spaces, points and the word before it, and a thief who writes it otherwise is still the same thief.
    What the eye does not see, or takes for something else, is refused.
    """
    found = _BETWEEN.sub("", unicodedata.normalize("NFKC", text)).upper()
    bare = found.removeprefix(_IBAN_WORD)
    found = bare if _IBAN.fullmatch(bare) else found
    if _ACCOUNT.fullmatch(found) is None:
        raise ValueError("must be an account number, of letters and digits")
    if _IBAN.fullmatch(found) is not None:
        number = "".join(str(int(char, 36)) for char in found[4:] + found[:4])
        if int(number) % _MODULUS != 1:
            raise ValueError("has a character that is wrong: the check digits of this IBAN do not fit")
    return found


def _check_memo(kind: str, memo: str) -> None:
    """One memo must have one spelling, or a thief's would look new to every list."""
    if not kind:
        raise BadMemo("does not belong to addresses of this network")
    if _MEMOS[kind].fullmatch(memo) is None or (kind == "number" and int(memo) > _MEMO_MOST):
        raise BadMemo(
            f"must be a number of at most {_MEMO_MOST}, without zeros before it"
            if kind == "number"
            else "must be 1 to 128 letters, digits and signs, without spaces"
        )


def normal(network: Network, text: str) -> str:
    """The one spelling of an address. Raises ValueError saying what is wrong, and repeating nothing of it."""
    if len(text) > LONGEST:
        raise ValueError("is longer than any address")
    match network.family:
        case "segwit":
            return _segwit(network, text)
        case "bech32":
            words, rest = unbech32(text, network.hrp)
            if rest != PLAIN:
                raise ValueError("has a character that is wrong: its checksum does not fit")
            _check_size(_size_of(words), _HASHES)
            return text.lower()
        case "base58check":
            return _base58check(network, text)
        case "ripple":
            _base58check(network, text.translate(_FROM_RIPPLE))
            return text
        case "base58":
            if len(unbase58(text)) != network.size_bytes:
                raise ValueError("is too short or too long for an address of this network")
            return text
        case "evm":
            return _evm(text)
        case "pattern":
            if _compiled(network.pattern).fullmatch(text) is None:
                raise ValueError("is not written as addresses of this network are")
            return text
        case _:
            assert_never(network.family)


def normals(networks: Iterable[Network], text: str, memo: str = "") -> frozenset[str]:
    """Every spelling that an address is compared by, whichever of these networks it is on; none if it is on none.

    The memo belongs to it where there are memos. Raises BadMemo.
    """
    found = set()
    for network in networks:
        try:
            place = normal(network, text)
        except ValueError:
            continue
        if memo and network.memo:
            _check_memo(network.memo, memo)
        found.add(with_memo(place, memo if network.memo else ""))
    return frozenset(found)


def invented(network: Network, name: str) -> str:
    """An address of the network that nobody has the key of, always the same of one name: for stories and tests."""
    made = hashlib.sha256(name.encode()).digest()
    match network.family:
        case "segwit":
            return segwit(network.hrp, 0, made[:_HASH_BYTES])
        case "bech32":
            return _bech32(network.hrp, _in_words(made[:_HASH_BYTES]), PLAIN)
        case "base58check":
            return base58check(bytes((network.versions[0],)) + made[:_HASH_BYTES])
        case "ripple":
            return base58check(bytes((network.versions[0],)) + made[:_HASH_BYTES]).translate(_TO_RIPPLE)
        case "base58":
            return base58((made * 2)[: network.size_bytes])
        case "evm":
            return eip55(made[:_HASH_BYTES].hex())
        case "pattern":
            return _fitting(network.pattern, made)
        case _:
            assert_never(network.family)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """The policy has seen to it that a pattern is matched in time with the text's length."""
    return re.compile(pattern)


def _fitting(pattern: str, made: bytes) -> str:
    """The shortest text that a policy's pattern matches, by the bytes of a hash."""
    text = ""
    for one, times, _ in re.findall(r"(\[[^]]+\]|[^[{}])(?:\{(\d+)(,\d+)?\})?", pattern):
        fits = [char for char in map(chr, range(33, 127)) if re.fullmatch(one, char)]
        for _ in range(int(times or 1)):
            text += fits[made[len(text) % len(made)] % len(fits)]
    return text


def _segwit(network: Network, text: str) -> str:
    """A native segwit address (BIP-173, BIP-350), or an older one where the network still has such."""
    if network.versions and not text.lower().startswith(f"{network.hrp}1"):
        return _base58check(network, text)
    words, rest = unbech32(text, network.hrp)
    if rest not in {PLAIN, BECH32M}:
        raise ValueError("has a character that is wrong: its checksum does not fit")
    if not words:
        raise ValueError("is too short or too long for an address of this network")
    version, size = words[0], _size_of(words[1:])
    if version > 16 or rest != (BECH32M if version else PLAIN):  # noqa: PLR2004 - the last version of segwit there is (BIP-141)
        raise ValueError("has a version that does not fit its checksum")
    _check_size(size, range(2, 41) if version else _HASHES)
    return text.lower()


def _size_of(words: bytes) -> int:
    """How many bytes words say; -1 if the last one says nothing, or what is left over is not zero."""
    left_over = 5 * len(words) % 8
    padding = int(words.translate(_BASE32) or b"0", 32) & (1 << left_over) - 1
    return -1 if left_over >= 5 or padding else 5 * len(words) // 8  # noqa: PLR2004 - the bits of a word


def _check_size(size: int, fitting: Container[int]) -> None:
    if size not in fitting:
        raise ValueError("is too short or too long for an address of this network")


def _base58check(network: Network, text: str) -> str:
    data = unbase58(text)
    if len(data) != 1 + _HASH_BYTES + _CHECK_BYTES:
        raise ValueError("is too short or too long for an address of this network")
    if _double_sha256(data[:-_CHECK_BYTES])[:_CHECK_BYTES] != data[-_CHECK_BYTES:]:
        raise ValueError("has a character that is wrong: its checksum does not fit")
    if data[0] not in network.versions:
        raise ValueError("is an address of another network")
    return text


def _evm(text: str) -> str:
    if _EVM.fullmatch(text) is None:
        raise ValueError("must be 0x and 40 hexadecimal digits")
    digits = text[2:]
    one_case = digits in {digits.lower(), digits.upper()}
    if not one_case and text != eip55(digits.lower()):
        raise ValueError("has a character that is wrong: the case of its letters does not fit (EIP-55)")
    return text.lower()


def eip55(digits: str) -> str:
    """40 lower-case hexadecimal digits as an address whose case is its checksum (EIP-55)."""
    hashed = keccak.new(digest_bits=256, data=digits.encode()).hexdigest()
    return "0x" + "".join(
        char.upper() if int(by, 16) >= 8 else char  # noqa: PLR2004 - half of a digit's values
        for char, by in zip(digits, hashed, strict=False)
    )


def base58(data: bytes) -> str:
    """Bytes in Base58, a `1` for each zero that they begin with."""
    number, text = int.from_bytes(data), ""
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def unbase58(text: str) -> bytes:
    """Undo `base58`. Raises ValueError for a character that is none of it."""
    number = 0
    for char in text:
        if char not in _DIGITS:
            raise ValueError("has a character that no address of this network has")
        number = number * 58 + _DIGITS[char]
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8)


def base58check(payload: bytes) -> str:
    """A version byte and what it says, with their checksum."""
    return base58(payload + _double_sha256(payload)[:_CHECK_BYTES])


def segwit(hrp: str, version: int, program: bytes) -> str:
    """A native segwit address (BIP-173; BIP-350 from version 1 on)."""
    return _bech32(hrp, [version, *_in_words(program)], BECH32M if version else PLAIN)


def _bech32(hrp: str, words: list[int], constant: int) -> str:
    rest = _polymod([*_expanded(hrp), *words, *bytes(_CHECK_WORDS)]) ^ constant
    check = [rest >> 5 * (5 - place) & 31 for place in range(_CHECK_WORDS)]
    return f"{hrp}1" + "".join(BECH32[word] for word in (*words, *check))


def unbech32(text: str, hrp: str) -> tuple[bytes, int]:
    """The words of a Bech32 text before its checksum, and what the checksum leaves. Raises ValueError."""
    lower = text.lower()
    if text not in {lower, text.upper()}:
        raise ValueError("must be written in one case")
    if not lower.startswith(f"{hrp}1"):
        raise ValueError("is an address of another network")
    if not len(hrp) + 1 + _CHECK_WORDS <= len(lower) <= _BECH32_MOST:
        raise ValueError("is too short or too long for an address of this network")
    words = lower[len(hrp) + 1 :].encode("latin-1", "replace").translate(_WORDS)
    if _NO_WORD in words:
        raise ValueError("has a character that no address of this network has")
    return words[:-_CHECK_WORDS], _polymod([*_expanded(hrp), *words])


def _expanded(hrp: str) -> list[int]:
    return [*(ord(char) >> 5 for char in hrp), 0, *(ord(char) & 31 for char in hrp)]


def _polymod(words: Iterable[int]) -> int:
    rest = 1
    for word in words:
        rest = (rest & 0x1FFFFFF) << 5 ^ word ^ _FOLDED[rest >> 25]
    return rest


def _in_words(data: bytes) -> list[int]:
    """Bytes in words of five bits, the last one filled up with zeros."""
    bits = "".join(f"{byte:08b}" for byte in data)
    return [int(bits[place : place + 5].ljust(5, "0"), 2) for place in range(0, len(bits), 5)]


def _double_sha256(data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()
