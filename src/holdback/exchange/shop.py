"""The shop window: pages of a customer's own, made here, on which every decision of Holdback's is shown as it came.

They work without scripts where a form can. With them the browser's key signs what is asked, and a passkey confirms it.
The cookie is enough to read by; what changes anything comes from a page of this origin.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse
from starlette.routing import Route

from holdback.client import Allow, ChallengeRefused, HoldbackError, NotCanonical, Problem, ReceiptRefused, Unreachable
from holdback.exchange import browsers
from holdback.exchange.backend import Asker, NoSuchHold, NotSignedIn
from holdback.exchange.books import NotCovered
from holdback.exchange.deposits import deposit_address
from holdback.exchange.showing import FILES, Outcome, Pages
from holdback.exchange.signer import NotPayable, units

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from holdback.client import Decision
    from holdback.exchange.backend import Backend
    from holdback.exchange.books import Books
    from holdback.exchange.market import Fill

HOME: Final = browsers.FIRST
SIGN_IN: Final = f"{HOME}/sign-in"
DOLLAR: Final = "USDT"
"""What balances are valued in."""

BODY_MAX: Final = 16 * 1024
FIELDS_MOST: Final = 32
LISTED_MOST: Final = 20
"""How many of the latest payments and trades are shown."""

Given = dict[str, str]


class Shop:
    """The pages' handlers. Example: `Shop(backend, books, cookie, "https://security.example").routes()`."""

    def __init__(self, backend: Backend, books: Books, cookie: browsers.Cookie, center: str = "") -> None:
        """Serve these; `center` is the origin of the Security Center, if there is one."""
        self._backend = backend
        self._books = books
        self._cookie = cookie
        self._device = browsers.DeviceCookie(cookie)
        self._pages = Pages(center)

    def routes(self) -> list[Route]:
        """Every page, every file, and what forms are sent to."""
        pages = {
            "": self._balances,
            "/deposit": self._deposit,
            "/withdraw": self._withdraw,
            "/sell": self._sell,
            "/trade": self._trade,
        }
        return [
            *(Route(HOME + path, self._for_readers(show)) for path, show in pages.items()),
            *(Route(f"{HOME}/static/{name}", file) for name, file in FILES.items()),
            Route(SIGN_IN, self._sign_in_page),
            Route(SIGN_IN, self._guarded(self._sign_in), methods=["POST"]),
            Route(f"{HOME}/ask", RedirectResponse(HOME), methods=["GET"]),
            Route(f"{HOME}/ask", self._guarded(self._ask), methods=["POST"]),
        ]

    # Pages.

    def _for_readers(self, show: Callable[[str], Given | dict[str, Any]]) -> Callable[[Request], Awaitable[Response]]:
        """A page of whoever is signed in; anybody else is asked to sign in."""

        async def answer(request: Request) -> Response:
            try:
                account = await run_in_threadpool(self._backend.reader, self._asker(request, {}))
                shown = await run_in_threadpool(show, account)
            except NotSignedIn:
                return RedirectResponse(SIGN_IN, 303)
            except HoldbackError as error:
                return self._trouble(request, _plainly(error), 503)
            return self._page(request, str(shown.pop("page")), account=account, **shown)

        return answer

    def _balances(self, account: str) -> dict[str, Any]:
        prices = {quote.pair: quote.price for quote in self._backend.quotes()}
        held = self._books.balances(account)
        orders = self._books.held(account)
        return {
            "page": "balances.html",
            "balances": [(asset, amount, _value(asset, amount, prices)) for asset, amount in held.items()],
            "waiting": [one | {"mine": one["id"] in orders} for one in self._backend.waiting(account)],
            "frozen": self._backend.is_frozen(account),
            "payments": self._books.payments(account)[: -LISTED_MOST - 1 : -1],
            "fills": self._backend.fills(account)[: -LISTED_MOST - 1 : -1],
        }

    def _deposit(self, account: str) -> dict[str, Any]:
        return {"page": "deposit.html", "address": deposit_address(account)}

    def _withdraw(self, account: str) -> dict[str, Any]:
        paid = [one for one in self._books.payments(account) if one.kind == "withdrawal"]
        return {
            "page": "withdraw.html",
            "balances": self._books.balances(account),
            "known": sorted({one.payee for one in paid if "?" not in one.payee}),
        }

    def _sell(self, account: str) -> dict[str, Any]:
        buyers = [one for one in self._books.buyers() if one.account != account]
        return {"page": "sell.html", "balances": self._books.balances(account), "buyers": buyers}

    def _trade(self, account: str) -> dict[str, Any]:
        return {
            "page": "trade.html",
            "quotes": self._backend.quotes(),
            "balances": self._books.balances(account),
            "order": f"o-{secrets.token_hex(8)}",
        }

    # Signing in.

    async def _sign_in_page(self, request: Request) -> Response:
        return self._page(request, "sign-in.html", account="", outcome=None, name="")

    async def _sign_in(self, request: Request, given: Given) -> Response:
        name = given.get("name", "")
        asker = self._asker(request, given)._replace(token="")
        decision = await run_in_threadpool(self._backend.sign_in, name, asker)
        if isinstance(decision, Allow) and decision.session:
            answer: Response = RedirectResponse(HOME, 303)
            self._cookie.keep(answer, request, decision.session)
            return answer
        return self._page(request, "sign-in.html", account="", outcome=Outcome.of(decision), name=name)

    # Asking.

    async def _ask(self, request: Request, given: Given) -> Response:
        asker = self._asker(request, given)
        action = {name: value for name, value in given.items() if not name.startswith("_") and value}
        decision, fills = await run_in_threadpool(self._asked, asker, action)
        outcome = Outcome.of(decision)
        if action["action"] == "session.end" and outcome.kind != "step_up":
            answer: Response = RedirectResponse(SIGN_IN, 303)
            self._cookie.drop(answer, request)
            return answer
        account = self._backend.account_of(asker)
        template = "prove.html" if outcome.challenge else "answer.html"
        return self._page(request, template, account=account, outcome=outcome, asked=action, fills=fills)

    def _asked(self, asker: Asker, action: Given) -> tuple[Decision, list[Fill]]:
        """Put a form's question to the backend, by the one door that it goes through."""
        match action:
            case {"action": "exit.request", "kind": "withdrawal" | "p2p_sale", "asset": asset, "amount": amount}:
                self._is_covered(asker, asset, units(amount))
                return self._backend.exit(asker, action)[0], []
            case {"action": "exit.release", "which": hold}:
                return self._backend.hand_over(asker, hold)[0], []
            case {"action": "order.place", "price": price, "amount": amount}:
                units(price), units(amount)
                return self._backend.trade(asker, action)
            case {"action": "exit.cancel" | "session.end"}:
                return self._backend.change(asker, action), []
        raise NotPayable("this form is not one of ours")

    def _is_covered(self, asker: Asker, asset: str, amount: int) -> None:
        """Raise NotCovered before anything is asked: the signer would refuse what an allow let go."""
        if self._books.balances(self._backend.account_of(asker)).get(asset, 0) < amount:
            raise NotCovered(f"You hold less {asset} than that.")

    # What all of them share.

    def _guarded(self, handle: Callable[[Request, Given], Awaitable[Response]]) -> Callable[..., Awaitable[Response]]:
        """A form's handler: of what another site sends, or nobody can read, nothing is asked; trouble is said."""

        async def answer(request: Request) -> Response:
            if not self._cookie.from_here(request):
                return self._trouble(request, browsers.ORIGIN_TEXT, 403)
            try:
                return await handle(request, await _fields(request))
            except NotSignedIn:
                return RedirectResponse(SIGN_IN, 303)
            except (NotCovered, NotPayable, NoSuchHold, NotCanonical, ValueError) as error:
                return self._trouble(request, _plainly(error), 400)
            except HoldbackError as error:
                return self._trouble(request, _plainly(error), 503 if isinstance(error, Unreachable) else 409)

        return answer

    def _trouble(self, request: Request, text: str, status: int) -> Response:
        return self._page(request, "trouble.html", status, account="", text=text)

    def _page(self, request: Request, template: str, status: int = 200, **shown: object) -> Response:
        account = str(shown["account"])
        token = self._cookie.token(request)
        about = {
            "name_of_customer": self._books.name_of(account) or "",
            "ath": base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).decode().rstrip("="),
            "key": secrets.token_hex(16),
        }
        answer = self._pages.page(template, about | shown, status)
        self._device.keep(answer, request)
        return answer

    def _asker(self, request: Request, given: Mapping[str, str]) -> Asker:
        """Who asks, from where, and with which proofs."""
        proofs = [
            {"kind": name.removeprefix("_proof."), "response": value}
            for name, value in given.items()
            if name.startswith("_proof.") and value
        ]
        seen = browsers.seen(request) | {"device": self._device.name(request)}
        dpop = given.get("_dpop") or None
        if dpop:
            seen |= {"method": request.method, "url": self._cookie.origin(request) + request.url.path}
        return Asker(
            token=self._cookie.token(request),
            key=given.get("_key") or secrets.token_hex(16),
            context={name: value for name, value in seen.items() if value},
            proofs=proofs,
            challenge=given.get("_challenge") or None,
            dpop=dpop,
        )


def _value(asset: str, amount: int, prices: Mapping[str, int]) -> int | None:
    """What an amount is worth in dollars, if there is a quote."""
    price = units("1") if asset == DOLLAR else prices.get(f"{asset}/{DOLLAR}")
    return None if price is None else amount * price // units("1")


async def _fields(request: Request) -> Given:
    """A form's fields, each once. Raises ValueError on what is no form of ours."""
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > BODY_MAX:
            raise ValueError("this form is too large")
    try:
        found = parse_qs(data.decode("ascii"), errors="strict", max_num_fields=FIELDS_MOST)
    except ValueError:
        raise ValueError("this form cannot be read") from None
    if any(len(values) > 1 for values in found.values()):
        raise ValueError("this form cannot be read")
    return {name: values[0] for name, values in found.items()}


def _plainly(error: Exception) -> str:
    """What went wrong, for a customer. None of it has moved anything."""
    match error:
        case Unreachable():
            return "The security check gave no answer, so nothing was done. Try again in a moment."
        case ChallengeRefused():
            return "That took too long, so nothing was done. Start again."
        case NoSuchHold():
            return "No order of yours waits under that name."
        case ReceiptRefused():
            return "The signer refused to pay. Nothing was sent."
        case Problem():
            return error.detail or error.title
    text = str(error)
    return text[:1].upper() + text[1:]
