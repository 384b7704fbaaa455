"""The HTTP that customers of the exchange speak. Every answer but a page is JSON and says what was decided, and why.

A customer shows who he is by `Authorization: Bearer SESSION`, or his browser by a cookie. An `Idempotency-Key` makes a
request that is sent twice one request; left out, each is its own.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.routing import Route

from holdback.client import (
    Allow,
    ChallengeRefused,
    Deny,
    Hold,
    HoldbackError,
    Problem,
    ReceiptRefused,
    StepUp,
    Unreachable,
)
from holdback.exchange import browsers
from holdback.exchange.backend import Asker, NoSuchHold, NotSignedIn
from holdback.exchange.books import NotCovered
from holdback.exchange.shop import Shop
from holdback.exchange.signer import NotPayable, decimal, units

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

    from holdback.client import Decision
    from holdback.exchange.backend import Backend
    from holdback.exchange.books import Books, Payment
    from holdback.exchange.market import Fill
    from holdback.exchange.signer import Signer

    Handler = Callable[[Request], Awaitable["Json | Response"]]

BODY_MAX: Final = 16 * 1024
T = TypeVar("T", bound="Body")
Json = dict[str, Any]
PAYING: Final = ("exit.request", "exit.release", "exit.settle")
"""Actions after which money moves."""


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """Any request's body: what an earlier step-up asked for comes along as `challenge` and `proofs`."""

    proofs: list[dict[str, str]] = []
    challenge: str | None = None


class SignIn(Body):
    """Name and proofs. With `cookie` the session goes where no script can read it, and not into the answer."""

    name: str = ""
    cookie: bool = False


class Withdrawal(Body, kw_only=True):
    """Pay an address outside."""

    asset: str
    amount: str
    network: str
    address: str
    memo: str | None = None


class Transfer(Body, kw_only=True):
    """Pay another customer: `to` is his account. A P2P sale is one whose price was paid elsewhere."""

    asset: str
    amount: str
    to: str


class Change(Body, kw_only=True):
    """Anything about the account's security, as Holdback's catalogue names it."""

    action: dict[str, Any]


class Signed(msgspec.Struct, forbid_unknown_fields=True):
    """What a customer's program signed with its API key (`holdback.client.signed_actor`), and whose account it is."""

    account: str
    key: str
    timestamp: int
    nonce: int
    signature: str


class Order(Body, kw_only=True):
    """Trade: with the session, or `signed` by a program. What is not matched at once `rests`, or lapses."""

    order: str
    pair: str
    side: str
    price: str
    amount: str
    rests: bool = False
    signed: Signed | None = None


class Payout(Body, kw_only=True):
    """What the backend tells the signer; open here so that you may try to fool it."""

    account: str
    action: dict[str, Any]
    receipt: str


class Refused(Exception):
    """The request cannot be taken: HTTP status, a code, and a sentence."""

    def __init__(self, status: int, error: str, detail: str) -> None:
        """Say what is wrong."""
        super().__init__(detail)
        self.status, self.error, self.detail = status, error, detail


class Exchange:
    """The handlers, one for each route. Example: `Exchange(backend, signer, books).app()`."""

    def __init__(
        self, backend: Backend, signer: Signer, books: Books, origin: str | None = None, center: str = ""
    ) -> None:
        """Serve these; `origin` is where browsers find this platform, if a proxy stands before it.

        `center` is the origin of the Security Center, which the pages lead to, if there is one.
        """
        self._backend = backend
        self._signer = signer
        self._books = books
        self._cookie = browsers.Cookie(origin)
        self._shop = Shop(backend, books, self._cookie, center)

    def app(self) -> ASGIApp:
        """The application, for any ASGI server."""
        routes = {
            ("GET", "/healthz"): self._healthz,
            ("GET", "/account"): self._account,
            ("GET", "/security"): self._secured,
            ("POST", "/sign-in"): self._sign_in,
            ("POST", "/sign-out"): self._sign_out,
            ("POST", "/withdraw"): self._withdraw,
            ("POST", "/transfer"): self._transfer,
            ("POST", "/sell"): self._sell,
            ("POST", "/orders"): self._order,
            ("POST", "/orders/{order}/take-back"): self._take_back,
            ("POST", "/release/{hold}"): self._release,
            ("POST", "/sold/{hold}"): self._sold,
            ("POST", "/bought/{seller}/{hold}"): self._bought,
            ("POST", "/security"): self._security,
            ("POST", "/signer/pay"): self._pay,
        }
        asked = [
            Route(path, _guarded(handle if method == "GET" else self._from_here(handle)), methods=[method])
            for (method, path), handle in routes.items()
        ]
        return browsers.Hardened(Starlette(routes=[*asked, *self._shop.routes(), *browsers.routes()]))

    def _from_here(self, handle: Handler) -> Handler:
        """Refuse what another site had a browser send. Without the cookie nothing is asked in anybody's name."""

        async def checked(request: Request) -> Json | Response:
            if self._cookie.token(request) and not self._cookie.from_here(request):
                raise Refused(403, "other_origin", browsers.ORIGIN_TEXT)
            return await handle(request)

        return checked

    async def _healthz(self, _request: Request) -> Json:
        return {"status": "ok"}

    async def _account(self, request: Request) -> Json:
        account = await run_in_threadpool(self._backend.signed_in, self._asker(request, Body()))
        return await run_in_threadpool(self._standing, account)

    def _standing(self, account: str) -> Json:
        return {
            "account": account,
            "balances": {asset: decimal(amount) for asset, amount in self._books.balances(account).items()},
            "held": self._books.held(account),
            "payments": [_payment_json(payment) for payment in self._books.payments(account)],
        }

    async def _secured(self, request: Request) -> Json:
        return await run_in_threadpool(self._backend.standing, self._asker(request, Body()))

    async def _sign_in(self, request: Request) -> Json | Response:
        body = await _body(request, SignIn)
        if body.cookie and not self._cookie.from_here(request):
            raise Refused(403, "other_origin", browsers.ORIGIN_TEXT)
        decision = await run_in_threadpool(self._backend.sign_in, body.name, self._asker(request, body))
        told = decision_json(decision)
        if not (body.cookie and isinstance(decision, Allow) and decision.session):
            return told
        shown = {name: value for name, value in told["session"].items() if name != "token"}
        answer = JSONResponse(told | {"session": shown, "account": self._books.account_named(body.name)})
        self._cookie.keep(answer, request, decision.session)
        return answer

    async def _sign_out(self, request: Request) -> Response:
        action = {"action": "session.end"}
        answer = JSONResponse(
            decision_json(await run_in_threadpool(self._backend.change, self._asker(request, Body()), action))
        )
        self._cookie.drop(answer, request)
        return answer

    async def _withdraw(self, request: Request) -> Json:
        body = await _body(request, Withdrawal)
        where = {"network": body.network, "address": body.address} | ({"memo": body.memo} if body.memo else {})
        return await self._exit(request, body, body.amount, {"kind": "withdrawal", "asset": body.asset, **where})

    async def _transfer(self, request: Request) -> Json:
        body = await _body(request, Transfer)
        wish = {"kind": "internal_transfer", "asset": body.asset, "counterparty": body.to}
        return await self._exit(request, body, body.amount, wish)

    async def _sell(self, request: Request) -> Json:
        body = await _body(request, Transfer)
        wish = {"kind": "p2p_sale", "asset": body.asset, "counterparty": body.to}
        return await self._exit(request, body, body.amount, wish)

    async def _exit(self, request: Request, body: Body, amount: str, wish: dict[str, str]) -> Json:
        units(amount)
        action = {"action": "exit.request", "amount": amount, **wish}
        return _exit_json(*await run_in_threadpool(self._backend.exit, self._asker(request, body), action))

    async def _order(self, request: Request) -> Json:
        body = await _body(request, Order)
        units(body.price), units(body.amount)
        named = {name: getattr(body, name) for name in ("order", "pair", "side", "price", "amount")}
        action, asker = {"action": "order.place", **named}, self._asker(request, body)
        if body.signed is None:
            decision, fills = await run_in_threadpool(self._backend.trade, asker, action, rests=body.rests)
        else:
            said = msgspec.to_builtins(body.signed)
            account, actor = said.pop("account"), {"kind": "api_key", **said}
            decision, fills = await run_in_threadpool(self._backend.trade_by_key, account, actor, asker, action)
        return decision_json(decision) | {"fills": [_fill_json(fill) for fill in fills]}

    async def _take_back(self, request: Request) -> Json:
        asker, order = self._asker(request, Body()), request.path_params["order"]
        return {"taken_back": await run_in_threadpool(self._backend.take_back, asker, order)}

    async def _release(self, request: Request) -> Json:
        hold = request.path_params["hold"]
        return _exit_json(*await run_in_threadpool(self._backend.release, self._asker(request, Body()), hold))

    async def _sold(self, request: Request) -> Json:
        body, hold = await _body(request, Body), request.path_params["hold"]
        return _exit_json(*await run_in_threadpool(self._backend.hand_over, self._asker(request, body), hold))

    async def _bought(self, request: Request) -> Json:
        seller, hold = request.path_params["seller"], request.path_params["hold"]
        asker = self._asker(request, Body())
        return decision_json(await run_in_threadpool(self._backend.paid_for, asker, seller, hold))

    async def _security(self, request: Request) -> Json:
        body = await _body(request, Change)
        if body.action.get("action") in PAYING:
            raise Refused(400, "not_here", "what pays goes through /withdraw, /transfer, /sell, /release and /sold")
        try:
            decision = await run_in_threadpool(self._backend.change, self._asker(request, body), body.action)
        except ValueError as error:  # what no action can be made of, or says who asks as if that were part of one
            raise Refused(400, "bad_request", str(error)) from None
        return decision_json(decision)

    async def _pay(self, request: Request) -> Json:
        body = await _body(request, Payout)
        payment = await run_in_threadpool(self._signer.pay, body.account, body.action, body.receipt)
        return {"paid": True, "payment": _payment_json(payment)}

    def _asker(self, request: Request, body: Body) -> Asker:
        """Who asks and from where, as this exchange sees it."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            token = self._cookie.token(request)
        seen = browsers.seen(request) | {"device": request.headers.get("x-device", "")}
        dpop = request.headers.get("dpop")
        if dpop:
            seen |= {"method": request.method, "url": self._cookie.origin(request) + request.url.path}
        return Asker(
            token=token,
            key=request.headers.get("idempotency-key") or secrets.token_hex(16),
            context={name: value for name, value in seen.items() if value},
            proofs=body.proofs,
            challenge=body.challenge,
            dpop=dpop,
        )


def _guarded(handle: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Turn what went wrong into JSON. None of it ever paid anything."""

    async def answer(request: Request) -> Response:
        try:
            told = await handle(request)
            return JSONResponse(told) if isinstance(told, dict) else told
        except Refused as error:
            return _error(error.status, error.error, error.detail)
        except NotSignedIn:
            return _error(401, "not_signed_in", "send `Authorization: Bearer SESSION`, which /sign-in gives")
        except NoSuchHold:
            return _error(404, "no_such_hold", "no order of yours waits under that id")
        except NotCovered as error:
            return _error(409, "not_covered", str(error))
        except NotPayable as error:
            return _error(400, "not_payable", str(error))
        except ReceiptRefused as error:
            return _error(403, "receipt_refused", str(error), why=type(error).__name__)
        except Unreachable:
            return _error(503, "unreachable", "Holdback gave no answer, so nothing was done; ask again")
        except ChallengeRefused as error:
            return _error(409, "ask_again", error.detail)
        except Problem as error:
            return _error(error.status, "not_taken", error.detail or error.title, pointer=error.pointer)
        except HoldbackError as error:
            return _error(502, "not_understood", str(error))

    return answer


def _error(status: int, error: str, detail: str, **more: str) -> Response:
    return JSONResponse({"error": error, "detail": detail, **more}, status_code=status)


async def _body(request: Request, kind: type[T]) -> T:
    """Read a body of this kind. Raises Refused naming the field that is wrong."""
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > BODY_MAX:
            raise Refused(413, "too_large", f"a body is at most {BODY_MAX} bytes")
    try:
        return msgspec.json.decode(data, type=kind)
    except ValueError as error:
        raise Refused(400, "bad_request", str(error)) from None


def decision_json(decision: Decision) -> Json:
    """What a customer is told: the decision, its reasons, and what goes with it. A receipt is for the signer only."""
    told: Json = {"decision": _NAMES[type(decision)], "reasons": [_plain(reason) for reason in decision.reasons]}
    match decision:
        case Allow():
            told |= {"id": decision.id, "usable_from": _plain(decision.usable_from)}
            told |= {"session": _plain(decision.session), "enrolment": _plain(decision.enrolment)}
        case StepUp():
            told |= {"challenge": _plain(decision.challenge)}
        case Hold():
            told |= {"hold": {"id": decision.id, "release_at": _plain(decision.release_at)}}
        case Deny():
            pass
    return {name: value for name, value in told.items() if value is not None}


_NAMES: Final = {Allow: "allow", StepUp: "step_up", Hold: "hold", Deny: "deny"}


def _plain(value: object) -> Any:  # noqa: ANN401 - whatever JSON the value is
    return msgspec.to_builtins(value)


def _exit_json(decision: Decision, payment: Payment | None) -> Json:
    return decision_json(decision) | {"payment": _payment_json(payment) if payment else None}


def _payment_json(payment: Payment) -> Json:
    return payment._asdict() | {"amount": decimal(payment.units)}


def _fill_json(fill: Fill) -> Json:
    return {"price": decimal(fill.price), "amount": decimal(fill.amount), "counterparty": fill.counterparty}
