"""Settings become objects here. The only file that names concrete adapters.

Settings are environment variables, `HOLDBACK_` and the field's name in capitals. A secret may also be given as the
path of a file in a variable of that name with `_FILE` behind it, so that it never stands on a command line.
"""

from __future__ import annotations

import ipaddress
import os
import re
import time
import tomllib
from contextlib import asynccontextmanager, contextmanager
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlsplit

import msgspec

from holdback import formats
from holdback.channels.loopback import is_this_machine
from holdback.channels.setting import BadSetting
from holdback.channels.sms_gateway import SmsGateway
from holdback.channels.smtp import SmtpSender
from holdback.channels.webhook import SignedPost, WebhookSender
from holdback.core.events import AuthenticatorKind, Channel
from holdback.core.policy import Policy, PolicyError
from holdback.enveloping import AgeEnvelopes
from holdback.evidence.backup_code import BackupCodes
from holdback.evidence.breached import BadList, Breached
from holdback.evidence.browser import Browsers
from holdback.evidence.document import Documents
from holdback.evidence.face import EmbeddedFace
from holdback.evidence.face_models import models, spoof_model
from holdback.evidence.face_vendor import VendorFace
from holdback.evidence.mail import Mails
from holdback.evidence.network import Networks
from holdback.evidence.passkey import Passkeys
from holdback.evidence.password import Passwords
from holdback.evidence.text_records import DnsRecords
from holdback.evidence.totp import Totp
from holdback.intake import Intake
from holdback.judging import Tools
from holdback.outbox import Outbox
from holdback.papers import Papers
from holdback.receipts import ReceiptKeys
from holdback.sealing import MasterKeys
from holdback.service import Service
from holdback.signing import Signing
from holdback.snapshots import Snapshots
from holdback.store.postgres import PostgresStore
from holdback.store.sqlite import SqliteStore
from holdback.watching import Canaries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from argon2 import PasswordHasher

    from holdback.core.events import Instant
    from holdback.ports import AddressSignatures, FaceCheck, Sender, Store, Verifier


class SettingError(ValueError):
    """A setting is missing or wrong. The message names the variable."""


class Settings(msgspec.Struct, frozen=True):
    """Everything an operator sets. Each field's docstring below is its line in `docs/reference/settings.md`."""

    store: str = "sqlite:holdback.db"
    master_keys: str = ""
    receipt_keys: str = ""
    policy: str = "default"
    issuer: str = "holdback"
    public_url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s?#]+\Z")] = "http://127.0.0.1:8400"
    smtp_host: str = ""
    smtp_port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 587
    smtp_tls: Annotated[str, msgspec.Meta(pattern=r"^(starttls|tls|none)\Z")] = "starttls"
    smtp_user: str = ""
    smtp_password: str = ""
    mail_from: str = ""
    webhook_url: str = ""
    webhook_secret: str = ""
    country_db: str = ""
    asn_db: str = ""
    rp_id: str = ""
    rp_origins: str = ""
    sms_url: str = ""
    sms_method: Annotated[str, msgspec.Meta(pattern=r"^(POST|PUT)\Z")] = "POST"
    sms_headers: str = "{}"
    sms_user: str = ""
    sms_password: str = ""
    sms_body: str = '{"to": "{to}", "text": "{text}"}'
    sms_body_kind: Annotated[str, msgspec.Meta(pattern=r"^(json|form)\Z")] = "json"
    sms_accepted: str = "200-299"
    sms_accepted_if: str = ""
    sms_refused: str = ""
    sms_refused_if: str = ""
    sms_deadline_s: Annotated[float, msgspec.Meta(ge=1, le=30)] = 10.0
    apprise_url: str = ""
    apprise_channel: Annotated[str, msgspec.Meta(pattern=r"^(push|sms)\Z")] = "push"
    channels: Annotated[str, msgspec.Meta(pattern=r"^(|none)\Z")] = ""
    pool: Annotated[int, msgspec.Meta(ge=2, le=200)] = 8
    password_threads: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    breached_passwords: str = ""
    trust_roots: str = ""
    face: Annotated[str, msgspec.Meta(pattern=r"^(|embedded|rekognition|vendor)\Z")] = ""
    face_spoof_model: str = ""
    face_region: str = ""
    face_vendor_url: str = ""
    face_vendor_key: str = ""
    face_vendor_secret: str = ""
    hold_webhook_url: str = ""
    hold_webhook_secret: str = ""
    center_url: Annotated[str, msgspec.Meta(pattern=r"^(|https?://[^\s/?#]+)\Z")] = ""
    trusted_proxies: str = ""
    console_url: Annotated[str, msgspec.Meta(pattern=r"^(|https?://[^\s/?#]+)\Z")] = ""
    log_level: Annotated[str, msgspec.Meta(pattern=r"^(debug|info|warning|error)\Z")] = "info"


SETTINGS: Final[dict[str, str]] = {
    "store": "Where state is kept: `sqlite:PATH` (one process) or `postgresql://...` (many).",
    "master_keys": "Ring of master keys, the current one first. Secret. `holdback keys master` makes one.",
    "receipt_keys": "JSON of the receipt signing keys. Secret. `holdback keys receipt` makes it.",
    "policy": "Name of a packaged policy or path of a TOML file.",
    "issuer": "The `iss` of receipts; signers refuse any other, so let no two deployments share one.",
    "public_url": "Where owners reach this server; freeze links start with it.",
    "smtp_host": "Mail relay; empty sends no mail, and then nothing that must be announced ever ripens.",
    "smtp_port": "Port of the mail relay.",
    "smtp_tls": "`starttls`, `tls`, or `none` (loopback only).",
    "smtp_user": "User name at the mail relay.",
    "smtp_password": "Password at the mail relay. Secret.",
    "mail_from": "Sender address of notices.",
    "webhook_url": "Where push and text notices are posted, signed after Standard Webhooks.",
    "webhook_secret": "Signing secret of the webhook, `whsec_...`. Secret.",
    "country_db": "Database of countries in MaxMind's format (`.mmdb`), your own; read again when it is replaced.",
    "asn_db": "Database of networks (ASN) in the same format. The extra `network` tells Tor, VPN and hosting besides.",
    "rp_id": "Domain that passkeys belong to, such as `example.com`; for good. Without it there are no passkeys.",
    "rp_origins": "Origins of the pages that ask for passkeys, separated by spaces: `https://`, that domain or below.",
    "sms_url": "HTTP gateway for text messages, `https://`; without it they go by webhook, if there is one. Secret.",
    "sms_method": "`POST` or `PUT`.",
    "sms_headers": "JSON object of headers; `{id}` in one is the same at each retry. Secret.",
    "sms_user": "User name at the gateway, for basic authentication.",
    "sms_password": "Password at the gateway. Secret.",
    "sms_body": "JSON object that is sent, with `{text}`, `{to}` or `{digits}` (no plus), and `{id}` in its strings.",
    "sms_body_kind": "How the body is sent: `json` or `form`.",
    "sms_accepted": "Statuses that accept a text message, such as `200,202` or `200-299`.",
    "sms_accepted_if": "What the answer's JSON must say besides, such as `/messages/0/status=0,queued`.",
    "sms_refused": "Statuses that refuse a text message for good; all others are tried again.",
    "sms_refused_if": "What the answer's JSON says where it refuses one for good, such as `/code=21211,21614`.",
    "sms_deadline_s": "Seconds until the gateway is given up on, 1 to 30.",
    "apprise_url": "An apprise URL with `{to}` behind its host (needs `holdback[apprise]`). Secret.",
    "apprise_channel": "What goes by apprise: `push` or `sms`. No wait starts by it.",
    "channels": "`none` if no owner is to be told of anything; without it a server with no channel is never ready.",
    "pool": "PostgreSQL connections.",
    "password_threads": "Threads a worker checks passwords on: 40 a second, 19 MiB each. Leave half the processors.",
    "breached_passwords": "Passwords thieves know: a file of `holdback passwords import`. A small list is built in.",
    "face": "Who looks at faces: `embedded` (extra `face`), `rekognition` (extra `face-aws`), `vendor`; empty: nobody.",
    "face_spoof_model": "Your own anti-spoof model (ONNX) for the embedded face check; it can only refuse.",
    "face_region": "Region of Amazon Rekognition, such as `eu-west-1`.",
    "face_vendor_url": "Where the vendor of face checks is asked, `https://`; see docs/explanation/face.md.",
    "face_vendor_key": "Key that the vendor knows this server by. Secret.",
    "face_vendor_secret": "Secret by which the vendor signs its messages to `/face/webhook`. Secret.",
    "trust_roots": "Certificates that vouch for signed papers: a PEM file, or a folder of them; without it none is.",
    "hold_webhook_url": "Where the platform is told of holds, signed after Standard Webhooks; empty: it polls.",
    "hold_webhook_secret": "Its signing secret, `whsec_...`; while you change it two, the new one first. Secret.",
    "center_url": "Origin of the Security Center, such as `https://security.example.com`; empty: there is none.",
    "trusted_proxies": "Networks of proxies (`10.0.0.0/24`; several with spaces) whose X-Forwarded-For says who calls.",
    "console_url": "Origin of the staff console, under `/console`: the same or another; empty: there is none.",
    "log_level": "`debug` (a line for every request), `info`, `warning` or `error`.",
}
"""Each setting, in a sentence; `Settings` has the types and defaults."""

BY_WEBHOOK: Final = (Channel.PUSH, Channel.SMS)
"""Channels that the platform delivers for us."""

SECRET: Final = frozenset(
    {
        "master_keys",
        "receipt_keys",
        "smtp_password",
        "webhook_secret",
        "sms_url",
        "sms_headers",
        "sms_password",
        "apprise_url",
        "face_vendor_key",
        "face_vendor_secret",
        "hold_webhook_secret",
    }
)
"""Settings that may come from a file named by `HOLDBACK_<NAME>_FILE`."""


def settings_from(environ: Mapping[str, str]) -> Settings:
    """Read the settings from an environment. Raises SettingError naming the variable that is wrong."""
    given: dict[str, str] = {}
    for field in Settings.__struct_fields__:
        variable = f"HOLDBACK_{field.upper()}"
        if variable in environ:
            given[field] = environ[variable]
        elif field in SECRET and f"{variable}_FILE" in environ:
            given[field] = _secret_file(f"{variable}_FILE", environ)
    unknown = {
        name
        for name in environ
        if name.startswith("HOLDBACK_") and name.removeprefix("HOLDBACK_").removesuffix("_FILE").lower() not in SETTINGS
    }
    if unknown:
        raise SettingError(f"{min(unknown)} is not a setting")
    try:
        return msgspec.convert(given, Settings, strict=False)
    except msgspec.ValidationError as error:
        field = str(error).rpartition("$.")[2].rstrip("`")
        raise SettingError(f"HOLDBACK_{field.upper()}: {formats.in_words(str(error).partition(' - at')[0])}") from None


def trusted_proxies(settings: Settings) -> list[str]:
    """The networks whose word on who called is believed. Raises SettingError on one that is none, or is everybody's."""
    named = settings.trusted_proxies.split()
    for one in named:
        try:
            network = ipaddress.ip_network(one)
        except ValueError:
            raise SettingError(f"HOLDBACK_TRUSTED_PROXIES: {one} is no network, such as 10.0.0.0/24") from None
        if network.prefixlen == 0:
            raise SettingError("HOLDBACK_TRUSTED_PROXIES: a network of everybody lets each caller choose his address")
    return named


def _secret_file(variable: str, environ: Mapping[str, str]) -> str:
    try:
        return Path(environ[variable]).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingError(f"{variable}: cannot read {environ[variable]}: {error.strerror}") from None


def load_policy(name: str) -> Policy:
    """A packaged policy by name, or one from a file. Raises PolicyError.

    A file may say `extends = "default"` (or another packaged name) and give only what differs.
    """
    data = _policy_data(name)
    base = data.pop("extends", None)
    if base is not None:
        if not isinstance(base, str):
            raise PolicyError("`extends` must be the name of a policy")
        data = _merged(_policy_data(base), data)
    return Policy.parse(data)


def policy_text(name: str) -> str:
    """The file of a packaged policy, or another one, comments and all. Raises OSError."""
    packaged = resources.files("holdback") / "policies" / f"{name}.toml"
    return (packaged if packaged.is_file() else Path(name)).read_text(encoding="utf-8")


def _policy_data(name: str) -> dict[str, object]:
    try:
        return tomllib.loads(policy_text(name))
    except OSError:
        raise PolicyError(f"there is no policy `{name}`, packaged or as a file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyError(f"`{name}` is not TOML: {error}") from None


def _merged(base: dict[str, object], over: dict[str, object]) -> dict[str, object]:
    """Tables key by key, everything else replaced."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


class SteadyClock:
    """The second source of time: this machine's clock when the program began, carried on by its monotonic one.

    A step of the system's clock does not move it, so a jump shows as a disagreement. It follows slow corrections (as
    NTP makes them) by at most one part in a thousand. What happened before it began it cannot know: then only a
    database on another machine, or an account's own last entry where time went back, disagrees.
    """

    def __init__(self, ahead_ms: int = 0) -> None:
        """Start from the time it is; `ahead_ms` is added to what is told."""
        self._ahead_ms = ahead_ms
        self._at = time.time() * 1000
        self._mark = time.monotonic()

    def now(self) -> Instant:
        """Milliseconds since the epoch."""
        mark = time.monotonic()
        passed = (mark - self._mark) * 1000
        expected = self._at + passed
        off = time.time() * 1000 - expected
        allowed = passed / 1000
        self._at, self._mark = expected + max(-allowed, min(allowed, off)), mark
        return int(self._at) + self._ahead_ms


class SystemEntropy:
    """Chance from the operating system."""

    def token(self, size: int) -> bytes:
        """`size` unpredictable bytes."""
        return os.urandom(size)


def open_store(settings: Settings, clock: Callable[[], Instant] | None = None) -> Store:
    """The store that the settings name. Raises SettingError."""
    kind, _, rest = settings.store.partition(":")
    if kind == "sqlite" and rest:
        return SqliteStore(Path(rest), clock=clock)
    if kind in {"postgres", "postgresql"}:
        return PostgresStore(settings.store, pool_size=settings.pool, clock=clock)
    raise SettingError("HOLDBACK_STORE must be sqlite:PATH or postgresql://...")


def must_exist(settings: Settings) -> None:
    """Refuse a database file that is not there: a wrong path would open as a store without customers or faults.

    Raises SettingError.
    """
    kind, _, rest = settings.store.partition(":")
    if kind == "sqlite" and rest and not Path(rest).exists():
        raise SettingError(f"HOLDBACK_STORE: there is no database {rest}; `holdback migrate` makes a new one")


def must_be_a_trial(settings: Settings, host: str) -> None:
    """Refuse to let a server believe that it is later, but where nobody else can reach it. Raises SettingError.

    Even there no value leaves by it: its receipts are dated as late as it believes, and signers go by their own clocks.
    What it writes is of a time to come, and until that time no server loosens anything of it.
    """
    if not settings.store.startswith("sqlite:"):
        raise SettingError("--ahead: HOLDBACK_STORE must be sqlite:PATH; another database has a clock of its own")
    if not is_this_machine(host):
        raise SettingError("--ahead: --host must be this machine (127.0.0.1)")
    if not is_this_machine(urlsplit(settings.public_url).hostname or ""):
        raise SettingError("--ahead: HOLDBACK_PUBLIC_URL must be this machine, or it is no trial")


async def make_room(settings: Settings, store: Store) -> None:
    """Make the schema of a file, which may be new; a database that others may use must have it. As `check_schema`."""
    if settings.store.startswith("sqlite:"):
        await store.migrate()
    else:
        await store.check_schema()


def tools(settings: Settings) -> Tools:
    """Policy and keys. Raises SettingError or PolicyError."""
    try:
        masters = MasterKeys.parse(settings.master_keys)
    except ValueError as error:
        raise SettingError(f"HOLDBACK_MASTER_KEYS: {error}; `holdback keys master` makes one") from None
    try:
        receipts = ReceiptKeys.parse(settings.receipt_keys)
    except ValueError as error:
        raise SettingError(f"HOLDBACK_RECEIPT_KEYS: {error}; `holdback keys receipt` makes one") from None
    policy = _told_outside(load_policy(settings.policy), settings)
    return Tools(
        policy,
        masters,
        Snapshots(masters),
        receipts,
        settings.issuer,
        Signing(masters, passkeys(settings)),
        canaries(masters, policy),
        papers(settings, masters),
        envelopes(),
        faces(settings, policy),
        tells_platform=bool(settings.hold_webhook_url),
    )


def faces(settings: Settings, policy: Policy) -> FaceCheck | None:
    """Who looks at faces, None if nobody does. Raises SettingError. The extras are loaded only where they are used."""
    try:
        match settings.face:
            case "embedded":
                spoof = spoof_model(Path(settings.face_spoof_model)) if settings.face_spoof_model else (b"", "")
                return EmbeddedFace(models(), policy.face, SystemEntropy(), spoof)
            case "rekognition":
                from holdback.evidence.face_rekognition import RekognitionFace  # noqa: PLC0415 - as above

                return RekognitionFace(settings.face_region, policy.face)
            case "vendor":
                return VendorFace(settings.face_vendor_url, settings.face_vendor_key, settings.face_vendor_secret)
            case _:
                return None
    except (ModuleNotFoundError, ValueError) as error:
        raise SettingError(f"HOLDBACK_FACE: {error}") from None


def canaries(masters: MasterKeys, policy: Policy) -> Canaries:
    """Which accounts are canaries: by the oldest key there is, for as long as it is there."""
    keys = masters.canary_keys()
    return Canaries(keys[min(keys)], policy.staff)


def papers(settings: Settings, masters: MasterKeys) -> Papers:
    """What reads papers; without trust roots nobody makes this server ask for names. Raises SettingError."""
    if not settings.trust_roots:
        return Papers(masters)
    try:
        roots = [path.read_bytes() for path in _pem_files(Path(settings.trust_roots))]
        return Papers(masters, Documents(roots), Mails(DnsRecords()))
    except ModuleNotFoundError as error:
        raise SettingError(f"HOLDBACK_TRUST_ROOTS: {error}") from None
    except (OSError, ValueError) as error:
        raise SettingError(f"HOLDBACK_TRUST_ROOTS: {settings.trust_roots}: {error}") from None


def _pem_files(place: Path) -> list[Path]:
    return sorted(place.glob("*.pem")) if place.is_dir() else [place]


def envelopes() -> AgeEnvelopes | None:
    """What seals for agencies; None without the extra `documents`, and then nothing is disclosed."""
    return AgeEnvelopes() if find_spec("pyrage") else None


def _told_outside(policy: Policy, settings: Settings) -> Policy:
    """The policy without channels that may lead back to the platform: no wait starts on its own word (law 5)."""
    inside = set(BY_WEBHOOK) if settings.webhook_url else set()
    inside |= {Channel(settings.apprise_channel)} if settings.apprise_url else set()
    inside -= {Channel.SMS} if settings.sms_url else set()
    if not inside:
        return policy
    outside = tuple(one for one in policy.notices.independent if one not in inside)
    adapted = msgspec.structs.replace(policy, notices=msgspec.structs.replace(policy.notices, independent=outside))
    adapted.check()
    return adapted


def verifiers(settings: Settings) -> dict[AuthenticatorKind, Verifier]:
    """One verifier a kind of proof that works today, passwords aside."""
    return {
        AuthenticatorKind.TOTP: Totp(settings.issuer),
        AuthenticatorKind.BACKUP_CODE: BackupCodes(),
    }


def passwords(settings: Settings, hasher: PasswordHasher | None = None) -> Passwords:
    """The verifier of passwords, with the operator's list of breached ones. Raises SettingError on a damaged list."""
    return Passwords(threads=settings.password_threads, hasher=hasher, breached=breached(settings))


def breached(settings: Settings) -> Breached | None:
    """The operator's list of breached passwords, None if there is none: then the built-in one is all there is.

    A damaged one is an error all the same: whoever made it believes that it is used.
    """
    if not settings.breached_passwords:
        return None
    try:
        return Breached(Path(settings.breached_passwords))
    except FileNotFoundError:
        return None
    except (BadList, OSError) as error:
        raise SettingError(f"HOLDBACK_BREACHED_PASSWORDS: {settings.breached_passwords}: {error}") from None


def origins(settings: Settings, policy: Policy) -> tuple[Networks, Browsers]:
    """Where sign-ins come from, and with what."""
    country, asn = (Path(one) if one else None for one in (settings.country_db, settings.asn_db))
    return Networks(country, asn, age_d=policy.signals.network_age_d), Browsers()


def passkeys(settings: Settings) -> Passkeys | None:
    """The relying party of passkeys, None where none is set up. Raises SettingError on one no browser would accept."""
    origins = settings.rp_origins.split()
    if not settings.rp_id and not origins:
        return None
    if not settings.rp_id or not origins:
        raise SettingError("HOLDBACK_RP_ID and HOLDBACK_RP_ORIGINS come together")
    for origin in origins:
        if not _is_origin(origin, settings.rp_id):
            raise SettingError(f"HOLDBACK_RP_ORIGINS: {origin} is not an origin of {settings.rp_id} over https")
    return Passkeys(settings.rp_id, origins, settings.issuer)


def _is_origin(origin: str, domain: str) -> bool:
    """Whether passkeys of a domain work there: on an Android app that names its key, or on a page of the domain."""
    if _ANDROID.fullmatch(origin):
        return True
    scheme, _, rest = origin.partition("://")
    host, _, port = rest.partition(":")
    local = scheme == "http" and host == "localhost"
    safe = (scheme == "https" or local) and (not port or port.isdecimal())
    return safe and (host == domain or host.endswith(f".{domain}"))


_ANDROID: Final = re.compile(r"android:apk-key-hash:[A-Za-z0-9_-]{43}")


def senders(settings: Settings) -> dict[Channel, Sender]:
    """The channels that are set up. Raises SettingError on one that could not send, or would not be safe."""
    if not settings.sms_url and any(
        getattr(settings, name) != getattr(Settings(), name) for name in SETTINGS if name.startswith("sms_")
    ):
        raise SettingError("HOLDBACK_SMS_URL must be set where another HOLDBACK_SMS_ is")
    found = _senders(settings)
    if found and settings.channels:
        raise SettingError(f"HOLDBACK_CHANNELS: it says none, but a channel is set up: {', '.join(sorted(found))}")
    return found


def _senders(settings: Settings) -> dict[Channel, Sender]:
    found: dict[Channel, Sender] = {}
    if settings.smtp_host:
        with _named({"sender": "mail_from", "tls": "smtp_tls"}):
            found[Channel.EMAIL] = SmtpSender(
                settings.smtp_host,
                settings.smtp_port,
                tls=settings.smtp_tls,
                user=settings.smtp_user,
                password=settings.smtp_password,
                sender=settings.mail_from,
            )
    if settings.webhook_url:
        with _named({"url": "webhook_url", "secret": "webhook_secret"}):
            for channel in BY_WEBHOOK:
                found[channel] = WebhookSender(settings.webhook_url, settings.webhook_secret, channel=channel)
    if settings.apprise_url:
        found[Channel(settings.apprise_channel)] = _by_apprise(settings)
    if settings.sms_url:
        given = {name: getattr(settings, name) for name in SETTINGS if name.startswith("sms_")}
        with _named({name.removeprefix("sms_"): name for name in given}):
            found[Channel.SMS] = SmsGateway(**{name.removeprefix("sms_"): value for name, value in given.items()})
    return found


def links_lead_nowhere(settings: Settings) -> bool:
    """Whether owners get freeze links to this machine, which for each of them is his own."""
    told = settings.smtp_host or settings.webhook_url or settings.sms_url or settings.apprise_url
    return bool(told) and is_this_machine(urlsplit(settings.public_url).hostname or "")


def hook(settings: Settings) -> SignedPost | None:
    """Where the platform is told of holds, None if it polls. Raises SettingError."""
    if not settings.hold_webhook_url:
        if settings.hold_webhook_secret:
            raise SettingError("HOLDBACK_HOLD_WEBHOOK_URL must be set where its secret is")
        return None
    with _named({"url": "hold_webhook_url", "secret": "hold_webhook_secret"}):
        return SignedPost(settings.hold_webhook_url, settings.hold_webhook_secret.split())


@contextmanager
def _named(settings: Mapping[str, str]) -> Iterator[None]:
    """Tell of a channel's unfit argument by the setting that it comes from."""
    try:
        yield
    except BadSetting as error:
        raise SettingError(f"HOLDBACK_{settings[error.setting].upper()}: {error}") from None


def _by_apprise(settings: Settings) -> Sender:
    """The extra is loaded only where it is used: it brings a hundred services' worth of code."""
    if settings.apprise_channel == Channel.SMS and settings.sms_url:
        raise SettingError("HOLDBACK_APPRISE_CHANNEL: texts go to HOLDBACK_SMS_URL; one of the two must go")
    try:
        from holdback.channels.apprise import AppriseSender  # noqa: PLC0415 - as above
    except ImportError:
        raise SettingError("HOLDBACK_APPRISE_URL: `pip install holdback[apprise]` adds what it needs") from None
    try:
        return AppriseSender(settings.apprise_url, channel=Channel(settings.apprise_channel))
    except ValueError as error:
        raise SettingError(f"HOLDBACK_APPRISE_URL: {error}") from None


def signatures() -> AddressSignatures | None:
    """What verifies signatures by the keys of addresses, if its extra is installed."""
    try:
        from holdback.evidence.address_signature import WalletSignatures  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    return WalletSignatures()


def build_service(
    settings: Settings,
    store: Store,
    clock: Callable[[], Instant] | None = None,
    hasher: PasswordHasher | None = None,
) -> Service:
    """A service over a store. `clock` replaces the second source of time, for demos and tests.

    `hasher` replaces what new passwords cost, for tests that are about something else.
    """
    second = _Given(clock) if clock is not None else SteadyClock()
    made = tools(settings)
    by = passwords(settings, hasher), verifiers(settings), made.signing
    where = origins(settings, made.policy)
    intake = Intake(made.masters, *by, SystemEntropy(), where, signatures(), made.policy.networks, made.policy.exits)
    lanes = 1 if isinstance(store, SqliteStore) else 2
    return Service(store, made, intake, second, lanes=lanes)


class _Given:
    """A clock that somebody else moves."""

    def __init__(self, clock: Callable[[], Instant]) -> None:
        self.now = clock


@asynccontextmanager
async def running(
    settings: Settings, *, migrates: bool = True, ahead_ms: int = 0
) -> AsyncIterator[tuple[Service, Outbox]]:
    """A store with its service and outbox, closed at the end. `migrates`: bring the schema up, not demand it.

    `ahead_ms` is how much later both clocks say it is, as `must_be_a_trial` allows it.
    """
    store = open_store(settings, (lambda: time.time_ns() // 1_000_000 + ahead_ms) if ahead_ms else None)
    channels = senders(settings)
    looking: FaceCheck | None = None
    try:
        if migrates:
            await store.migrate()
        else:
            await store.check_schema()
        service = build_service(settings, store, SteadyClock(ahead_ms).now)
        looking = service.tools.faces
        yield service, Outbox(service, channels, settings.public_url)
    finally:
        if looking is not None:
            await looking.close()
        for sender in channels.values():
            await sender.close()
        await store.close()
