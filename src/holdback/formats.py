"""What each pattern that a request or setting is held to wants, in words.

A regular expression is no answer to somebody who sent `0,25`. A test holds this table to the API's description and the
settings: a pattern without words does not pass.
"""

from __future__ import annotations

import re
from typing import Final

_NAME: Final = "letters, digits, `.`, `_` or `-`"

WORDS: Final[dict[str, str]] = {
    r"^[A-Za-z0-9._-]{1,64}\Z": f"an id of 1 to 64 {_NAME}",
    r"^[A-Za-z0-9._-]{0,64}\Z": f"an id of at most 64 {_NAME}",
    r"^[A-Za-z0-9._-]{1,32}\Z": f"the name of an asset, 1 to 32 {_NAME}, such as BTC",
    r"^[0-9]{1,12}(\.[0-9]{1,6})?\Z": "US dollars as a string, below a trillion, to 6 places, such as 250.00",
    r"^[0-9]{1,10}(\.[0-9]{1,18})?\Z": "US dollars as a string, with 18 decimal places at most, such as 64000.00",
    r"^[0-9]{1,20}(\.[0-9]{1,18})?\Z": "a decimal number as a string, with 18 places at most, such as 0.25",
    r"^[a-z0-9][a-z0-9_-]{0,31}\Z": "the name of a network, 1 to 32 small letters, digits, `_` or `-`, such as bitcoin",
    r"^[a-z][a-z0-9_]{0,31}\Z": "a kind of exit, 1 to 32 small letters, digits or `_`, such as withdrawal",
    r"^[0-9a-f]{32}\Z": "32 hexadecimal digits in small letters, as an account's view shows a session",
    r"^[A-Z]{1,16}\Z": "a method of HTTP in capitals, such as POST",
    r"^all\Z": "`all`",
    r"^(password|totp|passkey|sms|email|backup_code|contact_code|address_signature)\Z": (
        "one of `password`, `totp`, `passkey`, `sms`, `email`, `backup_code`, `contact_code`, `address_signature`"
    ),
    r"^(pair (\*|[A-Z0-9]{1,16}/[A-Z0-9]{1,16})|counterparty [A-Za-z0-9_-]{1,64})\Z": (
        "what is closed to trading, such as `pair BTC/USDT`, `pair *` or `counterparty bob`"
    ),
    r"^[0-9]{1,3}(\.[0-9]{1,2})?\Z": "a factor as a string, below 1000 and to 2 places, such as 2.5",
    r"^[A-Z0-9]{1,16}/[A-Z0-9]{1,16}\Z": "two assets in capitals with `/` between them, such as BTC/USDT",
    r"^[A-Za-z0-9_-]{43}\Z": "an Ed25519 public key, its 32 bytes in base64url without padding",
    r"^[A-Za-z0-9_-]{43}([A-Za-z0-9_-]{43})?\Z": (
        "an HMAC-SHA-256 or an Ed25519 signature, 32 or 64 bytes in base64url without padding"
    ),
    r"^[0-9a-f]{64}\Z": "a SHA-256 as 64 hexadecimal digits in small letters",
    r"^age1[02-9ac-hj-np-z]{58}\Z": "a public key of age, which begins with age1",
    r"^[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){1,7}\Z": "the name of a domain in small letters, such as police.example",
    r"^(|embedded|rekognition|vendor)\Z": "`embedded`, `rekognition`, `vendor`, or empty",
    r"^https?://[^\s?#]+\Z": "a URL that begins with https:// or http://, without `?` or `#`",
    r"^(|https?://[^\s/?#]+)\Z": "an origin that begins with https:// or http://, without a path, or empty",
    r"^(starttls|tls|none)\Z": "`starttls`, `tls` or `none`",
    r"^(POST|PUT)\Z": "`POST` or `PUT`",
    r"^(json|form)\Z": "`json` or `form`",
    r"^(push|sms)\Z": "`push` or `sms`",
    r"^(|none)\Z": "`none`, or empty",
    r"^(debug|info|warning|error)\Z": "`debug`, `info`, `warning` or `error`",
}
"""Each pattern as it stands in the code, and what may be sent."""

_BY_REPR: Final = {repr(pattern): words for pattern, words in WORDS.items()}
_REGEX: Final = re.compile(r"Expected `(?:str|object)` matching regex (?P<quoted>'.*')", re.DOTALL)


def in_words(message: str) -> str:
    """A message of msgspec without regular expressions; one that has none is returned as it is."""
    return _REGEX.sub(lambda found: f"must be {_BY_REPR.get(found['quoted'], 'in another form')}", message)
