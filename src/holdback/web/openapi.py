"""The API's description, OpenAPI 3.1, made from the types that read and write it, so that it cannot say otherwise.

An action's own fields and the envelope stand side by side in one object; every answer that can come is listed.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

import holdback
from holdback.answers import AnswerForm
from holdback.core.decide import PLANNED
from holdback.core.events import Role, Sealed
from holdback.core.rules.authenticator import AuthenticatorBind, AuthenticatorConfirm
from holdback.desk import DeskPage, ProgressForm
from holdback.intake import ACCOUNT_ID, LONGEST, PUBLIC, Envelope
from holdback.views import LARGEST, AccountForm, EventsPage, HoldsPage
from holdback.web import problems
from holdback.web.bodies import SignIn
from holdback.web.deposits import DepositTable
from holdback.web.face import FILM, FaceShownForm, FaceStepForm
from holdback.web.forms import FORM
from holdback.web.keys import Scope
from holdback.web.pairs import PairTable
from holdback.web.papers import MAIL, PDF, PaperForm
from holdback.web.prices import PriceTable
from holdback.web.problems import ProblemForm
from holdback.web.queues import HEADER_MOST

Schema = dict[str, Any]

_JSON: Final = "application/json"
_PROBLEM: Final = "application/problem+json"
_HTML: Final = "text/html"
_COMPONENTS: Final = "#/components/schemas/"

SERVER_MADE: Final[dict[type, frozenset[str]]] = {
    AuthenticatorBind: frozenset({"secret"}),
    AuthenticatorConfirm: frozenset({"secret"}),
}
"""Fields of actions that Holdback makes and refuses to be sent."""

CLAIMABLE: Final = ("owner", "link", "platform", "staff", "agency")
"""Kinds of actor that can be claimed here; others prove themselves elsewhere."""

_ACCOUNT: Final = {
    "name": "account",
    "in": "path",
    "required": True,
    "description": "A customer's id, or `customer.sub-account`.",
    "schema": {"type": "string", "pattern": f"^{ACCOUNT_ID.pattern}$"},
}
_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Chosen by the caller, one an intent; the first answer under it comes back for 48 h. "
    "Required unless `dry_run` is true.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"},
}
_CURSOR: Final = {
    "name": "cursor",
    "in": "query",
    "description": "What `next` was on the page before.",
    "schema": {"type": "string", "pattern": "^[0-9]{1,15}$"},
}
_LIMIT: Final = {
    "name": "limit",
    "in": "query",
    "description": "The most items wanted.",
    "schema": {"type": "integer", "minimum": 1, "maximum": LARGEST, "default": 50},
}
_TICKET: Final = {
    "name": "ticket",
    "in": "path",
    "required": True,
    "description": "The help desk's own name of it.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
}
_RECOVERY: Final = {
    "name": "Holdback-Recovery",
    "in": "header",
    "required": True,
    "description": "The recovery's token, as its opener was given it.",
    "schema": {"type": "string", "maxLength": 512},
}
_ROLE: Final = {
    "name": "role",
    "in": "query",
    "required": True,
    "description": "The role whose queue is read; whoever reads must hold it.",
    "schema": {"type": "string", "enum": [one.value for one in Role]},
}
_PLACE: Final = {
    "name": "cursor",
    "in": "query",
    "description": "What `next` was on the page before.",
    "schema": {"type": "string", "maxLength": 256},
}
_STAFF: Final = tuple(
    {"name": name, "in": "header", "description": said, "schema": {"type": "string", "maxLength": HEADER_MOST}}
    for name, said in (
        ("Holdback-Member", "Who of the staff reads."),
        ("Holdback-Session", "The token of that member's session."),
        ("Holdback-Called", "The address that the member's browser called, by GET."),
        ("DPoP", "What the member's device signed for that address (RFC 9449)."),
    )
)
"""How one of the staff is known who reads."""

_TOKEN: Final = {
    "name": "t",
    "in": "query",
    "description": "The link's token.",
    "schema": {"type": "string"},
}

_EXAMPLES: Final[Schema] = {
    "withdraw": {
        "summary": "An owner asks to withdraw",
        "value": {
            "action": "exit.request",
            "kind": "withdrawal",
            "asset": "BTC",
            "amount": "0.25",
            "address": "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
            "network": "bitcoin",
            "actor": {"kind": "owner", "session": "8f1c..."},
            "context": {"ip": "198.51.100.7", "device": "d-41"},
        },
    },
    "resume": {
        "summary": "The same call again, with what its challenge asked for",
        "value": {
            "action": "limit.set",
            "usd_per_day": "2000",
            "actor": {"kind": "owner", "session": "8f1c..."},
            "challenge": "s17",
            "proofs": [{"kind": "password", "response": "..."}, {"kind": "totp", "response": "123456"}],
        },
    },
    "cancel": {
        "summary": "The platform cancels an exit that waits",
        "value": {"action": "exit.cancel", "which": "x12", "actor": {"kind": "platform"}},
    },
}


def document() -> bytes:
    """The whole description as JSON."""
    return msgspec.json.encode(description())


def description() -> Schema:
    """The whole description."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Holdback",
            "version": holdback.__version__,
            "description": "Ask before value leaves. All four decisions come with status 200; every error is a problem "
            "(RFC 9457). A `challenge` that is unknown, expired or another action's is one (409): ask again without "
            "it, under a fresh idempotency key. Of a member that occurs twice in an object the last counts.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": _paths(),
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "platformKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A platform key, `hb_<id>_<secret>`, with the scope the operation names.",
                }
            },
        },
    }


def _paths() -> Schema:
    page = (_ACCOUNT, _CURSOR, _LIMIT)
    account = "/v1/accounts/{account}"
    return {
        f"{account}/actions": {"post": _action()},
        "/v1/sign-ins": {"post": _sign_in()},
        account: {"get": _read("How an account stands", (_ACCOUNT,), "AccountForm")},
        f"{account}/events": {"get": _read("What happened to an account, oldest first", page, "EventsPage")},
        f"{account}/recovery": {
            "get": _read("How a recovery stands, for whoever opened it", (_ACCOUNT, _RECOVERY), "ProgressForm")
        },
        "/v1/desk": {"get": _read("What waits for a role of the staff", (_ROLE, _PLACE, _LIMIT, *_STAFF), "DeskPage")},
        f"{account}/holds": {"get": _read("Exits that wait, oldest first", page, "HoldsPage")},
        f"{account}/tickets/{{ticket}}": {
            "put": _ticket("openTicket", "Let staff read a customer for a ticket; again, for longer"),
            "delete": _ticket("closeTicket", "Let nobody read for a ticket any more"),
        },
        "/v1/papers/pdf": {"post": _paper("handInPdf", "Hand in a PDF, and learn who signed it", PDF)},
        "/v1/papers/mail": {"post": _paper("handInMail", "Hand in a mail, and learn which domain signed it", MAIL)},
        "/v1/accounts/{account}/leases": {"post": _lease()},
        "/v1/prices": {"put": _prices()},
        "/v1/pairs": {"put": _pairs()},
        "/v1/deposits": {"put": _deposits()},
        "/freeze": {"get": _freeze_page(), "post": _freeze()},
        "/face": {
            "get": _face_page("askFace", "Ask for a recovery's key"),
            "post": _face_page("showFace", "The page of a face check", FORM),
        },
        "/face/steps": {"post": _face_step("faceStep", "Begin a face check, or go one step further", _JSON)},
        "/face/pictures": {
            "post": _face_step("facePictures", "Send the pictures that were committed to", FILM.decode())
        },
        "/face/webhook": {"post": _face_webhook()},
        "/openapi.json": {"get": _open("This description", {"type": "object"})},
        "/.well-known/jwks.json": {"get": _open("The keys that receipts are verified with", {"type": "object"})},
        "/healthz": {"get": _open("Whether the process answers", {"type": "object"})},
        "/readyz": {"get": _open("Whether a decision could be made durable, and notices are sent", {"type": "object"})},
        "/metrics": {"get": _open("What an operator watches", {"type": "string"}, "text/plain")},
    }


def _action() -> Schema:
    body = {_JSON: {"schema": {"$ref": _COMPONENTS + "Action"}, "examples": _EXAMPLES}}
    return {
        "operationId": "act",
        "summary": "Ask whether an action may happen, and make it so",
        "security": _security(Scope.ASK),
        "parameters": [_ACCOUNT, _KEY],
        "requestBody": {"required": True, "content": body},
        "responses": {"200": _ok("AnswerForm"), **_refused(400, 401, 403, 404, 409, 413, 415, 422)},
    }


def _sign_in() -> Schema:
    return {
        "operationId": "signIn",
        "summary": "Start a session by sign-in name",
        "description": "Until its proofs are right a sign-in is told what to show, when to come back, and no more: "
        "a name that nobody has gets the same answers, after the same work, as one that somebody has. `head` is "
        "empty, half of a right proof counts as a wrong one, and `accept` is invented for names of nobody. Each try "
        "with proofs is counted as failed until it was right; tries from a device the account met are counted apart.",
        "security": _security(Scope.ASK),
        "parameters": [_KEY],
        "requestBody": {"required": True, "content": {_JSON: {"schema": {"$ref": _COMPONENTS + "SignIn"}}}},
        "responses": {"200": _ok("AnswerForm"), **_refused(400, 401, 403, 409, 413, 415, 422)},
    }


def _lease() -> Schema:
    fields = {"pair": {"type": "string"}, "settles": {"type": "string"}, "used_usd": {"type": "string"}}
    actor = {"actor": {"$ref": _COMPONENTS + "WireActor"}, "context": {"$ref": _COMPONENTS + "WireContext"}}
    body = {"type": "object", "properties": fields | actor, "required": ["pair", "actor"]}
    return {
        "operationId": "lease",
        "summary": "Draw a share of what trades may give away, to answer for a pair's orders for two seconds",
        "security": _security(Scope.ASK),
        "parameters": [_ACCOUNT],
        "requestBody": {"required": True, "content": {_JSON: {"schema": body}}},
        "responses": {"200": _ok("AnswerForm"), **_refused(400, 401, 403, 404, 409, 413, 415, 422)},
    }


def _prices() -> Schema:
    return {
        "operationId": "putPrices",
        "summary": "Keep a table of prices, whole or not at all",
        "security": _security(Scope.FEED),
        "requestBody": {"required": True, "content": {_JSON: {"schema": {"$ref": _COMPONENTS + "PriceTable"}}}},
        "responses": {"204": {"description": "Kept."}, **_refused(400, 401, 403, 413, 415, 422)},
    }


def _pairs() -> Schema:
    return {
        "operationId": "putPairs",
        "summary": "Keep a table of pairs' references, whole or not at all",
        "security": _security(Scope.FEED),
        "requestBody": {"required": True, "content": {_JSON: {"schema": {"$ref": _COMPONENTS + "PairTable"}}}},
        "responses": {"204": {"description": "Kept."}, **_refused(400, 401, 403, 413, 415, 422)},
    }


def _deposits() -> Schema:
    return {
        "operationId": "putDeposits",
        "summary": "Say what accounts received and from where: who only looks like a known sender is not paid",
        "security": _security(Scope.FEED),
        "requestBody": {"required": True, "content": {_JSON: {"schema": {"$ref": _COMPONENTS + "DepositTable"}}}},
        "responses": {"204": {"description": "Kept."}, **_refused(400, 401, 403, 413, 415, 422)},
    }


def _ticket(name: str, summary: str) -> Schema:
    return {
        "operationId": name,
        "summary": summary,
        "security": _security(Scope.TICKETS),
        "parameters": [_ACCOUNT, _TICKET],
        "responses": {"204": {"description": "Kept."}, **_refused(400, 401, 403, 404)},
    }


def _paper(name: str, summary: str, media: bytes) -> Schema:
    schema = {"type": "string", "contentMediaType": media.decode()}
    return {
        "operationId": name,
        "summary": summary,
        "description": "For legal requests. Nothing is kept of it; the answer's `document` says for a day what was "
        "found, to `legal.receive` and `legal.freeze_order`.",
        "security": _security(Scope.ASK),
        "requestBody": {"required": True, "content": {media.decode(): {"schema": schema}}},
        "responses": {"200": _ok("PaperForm"), **_refused(400, 401, 403, 413, 415, 501)},
    }


def _read(summary: str, parameters: tuple[Schema, ...], form: str) -> Schema:
    return {
        "operationId": form.removesuffix("Form").removesuffix("Page").lower(),
        "summary": summary,
        "security": _security(Scope.READ),
        "parameters": list(parameters),
        "responses": {"200": _ok(form), **_refused(400, 401, 403, 404)},
    }


def _freeze_page() -> Schema:
    return {
        "operationId": "showFreeze",
        "summary": "The page behind a freeze link; changes nothing",
        "parameters": [_TOKEN],
        "responses": _pages(),
    }


def _freeze() -> Schema:
    form = {"type": "object", "properties": {"t": {"type": "string"}}}
    return {
        "operationId": "freeze",
        "summary": "Freeze the account that a link is for, named in the body or, without one, in the query",
        "parameters": [_TOKEN | {"required": False}],
        "requestBody": {"required": False, "content": {"application/x-www-form-urlencoded": {"schema": form}}},
        "responses": {**_pages(), **_refused(413, 415)},
    }


def _face_page(name: str, summary: str, form: bytes = b"") -> Schema:
    field = {"type": "string", "minLength": 1, "maxLength": 128}
    fields = {"type": "object", "properties": {"account": field, "token": field}, "required": ["account", "token"]}
    page = {"200": {"description": "The page.", "content": {_HTML: {"schema": {"type": "string"}}}}}
    found: Schema = {"operationId": name, "summary": summary, "responses": {**page, **_refused(400, 413, 415)}}
    return found | ({"requestBody": {"required": True, "content": {form.decode(): {"schema": fields}}}} if form else {})


def _face_step(name: str, summary: str, media: str) -> Schema:
    whole = {"type": "string", "contentMediaType": media}
    schema = {"$ref": _COMPONENTS + "FaceStepForm"} if media == _JSON else whole
    return {
        "operationId": name,
        "summary": summary,
        "description": "For the page of a recovery that is under way, whose key stands in the body. Pictures follow "
        "the step's JSON, each and it behind its length in four bytes, big-endian.",
        "requestBody": {"required": True, "content": {media: {"schema": schema}}},
        "responses": {"200": _ok("FaceShownForm"), **_refused(400, 404, 409, 413, 415, 429)},
    }


def _face_webhook() -> Schema:
    return {
        "operationId": "faceWebhook",
        "summary": "A vendor's message that there is news of a face check; a hint, and no more",
        "requestBody": {"required": True, "content": {_JSON: {"schema": {"type": "object"}}}},
        "responses": {"204": {"description": "Taken."}, **_refused(401, 404, 413, 415)},
    }


def _pages() -> Schema:
    page = {_HTML: {"schema": {"type": "string"}}}
    return {
        "200": {"description": "The page.", "content": page},
        "410": {"description": "The link does not work, or not any more.", "content": page},
        **_refused(),
    }


def _open(summary: str, schema: Schema, media: str = _JSON) -> Schema:
    return {
        "summary": summary,
        "responses": {"200": {"description": "OK.", "content": {media: {"schema": schema}}}, **_refused()},
    }


def _security(scope: Scope) -> list[Schema]:
    return [{"platformKey": [scope.value]}]


def _ok(form: str) -> Schema:
    return {"description": "OK.", "content": {_JSON: {"schema": {"$ref": _COMPONENTS + form}}}}


def _refused(*statuses: int) -> Schema:
    """These statuses and those that any request can meet, each with the problems it may be."""
    found: Schema = {}
    for status in (*statuses, 500, 503):
        kinds = [kind for kind in problems.KINDS if kind.status == status]
        found[str(status)] = {
            "description": " ".join(f"`{kind.name}`: {kind.title}" for kind in kinds),
            "content": {_PROBLEM: {"schema": {"$ref": _COMPONENTS + "ProblemForm"}}},
        }
    return found


_FORMS: Final = (
    Envelope,
    SignIn,
    PriceTable,
    PairTable,
    DepositTable,
    AnswerForm,
    AccountForm,
    EventsPage,
    HoldsPage,
    ProgressForm,
    DeskPage,
    PaperForm,
    FaceStepForm,
    FaceShownForm,
    ProblemForm,
)
"""What is sent and answered beside the actions."""


def _schemas() -> Schema:
    kinds = [*PUBLIC.values(), *_FORMS]
    _, found = msgspec.json.schema_components(kinds, schema_hook=_sealed_schema, ref_template=_COMPONENTS + "{name}")
    schemas: Schema = _mended(found)
    schemas["WireActor"]["properties"]["kind"] = {"enum": list(CLAIMABLE)}
    schemas["AnswerForm"]["properties"]["decision"] = {"enum": ["allow", "step_up", "hold", "deny"]}
    envelope = schemas.pop("Envelope")
    for kind in PUBLIC.values():
        _join(schemas[kind.__name__], envelope, SERVER_MADE.get(kind, frozenset()))
    schemas["Planned"] = {
        "title": "Planned",
        "description": "An action whose subject does not exist yet; answered `deny` with `not_available`.",
        "type": "object",
        "properties": {"action": {"enum": sorted(PLANNED)}, **envelope["properties"]},
        "required": ["action", "actor"],
    }
    names = {name: kind.__name__ for name, kind in PUBLIC.items()} | dict.fromkeys(sorted(PLANNED), "Planned")
    schemas["Action"] = {
        "title": "Action",
        "oneOf": [{"$ref": _COMPONENTS + name} for name in dict.fromkeys(names.values())],
        "discriminator": {
            "propertyName": "action",
            "mapping": {name: _COMPONENTS + schema for name, schema in names.items()},
        },
    }
    return schemas


def _join(action: Schema, envelope: Schema, server_made: frozenset[str]) -> None:
    """Put the envelope's fields beside an action's own, less those that Holdback makes itself."""
    own = {name: schema for name, schema in action["properties"].items() if name not in server_made}
    action["properties"] = own | envelope["properties"]
    action["required"] = [*action["required"], *envelope["required"]]


def _sealed_schema(kind: type) -> Schema:
    """Personal fields and secrets are sent as text, and sealed at once."""
    if issubclass(kind, Sealed):
        return {"type": "string", "minLength": 1, "maxLength": LONGEST}
    raise NotImplementedError


def _mended(schema: Any) -> Any:  # noqa: ANN401 - any part of a JSON schema
    r"""Patterns in JSON Schema's dialect, which has no `\Z` and needs none, and descriptions without line breaks."""
    if isinstance(schema, dict):
        return {key: _mended_text(key, value) for key, value in schema.items()}
    return [_mended(one) for one in schema] if isinstance(schema, list | tuple) else schema


def _mended_text(key: str, value: Any) -> Any:  # noqa: ANN401 - as above
    if key == "pattern" and isinstance(value, str):
        return value.replace(r"\Z", "$")
    if key == "description" and isinstance(value, str):
        return " ".join(value.split())
    return _mended(value)
