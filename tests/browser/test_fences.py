"""What another site, a script that slipped in, and a copied cookie cannot do."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.browser.person import Person
    from tests.browser.platform_house import House

    Seat = Callable[..., Awaitable[Person]]

pytestmark = pytest.mark.asyncio(loop_scope="session")

KEPT = """async () => {
  const { recall } = await import("/pages/keeping.js");
  const { privateKey } = await recall("device key");
  const key = await crypto.subtle.exportKey("pkcs8", privateKey).catch((error) => error.name);
  return { key, session: await recall("session"), stored: { ...localStorage, ...sessionStorage } };
}"""
"""What a script on the page can get hold of."""
FREEZE = {"action": {"action": "account.freeze"}}


async def test_the_session_is_out_of_reach_of_scripts(house: House, at_a_browser: Seat) -> None:
    """No script sees the session's token or the key itself, and no other origin has anything asked with them."""
    owner, person = house.somebody(), await at_a_browser(house)

    await person.sign_in(owner)

    (cookie,) = await person.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert await person.page.evaluate("document.cookie") == ""
    kept = await person.page.evaluate(KEPT)
    assert kept["session"]["account"] == owner.account
    assert cookie["value"] not in str(kept)
    assert kept["key"] == "InvalidAccessError"
    await press_from_elsewhere(house, person)
    assert house.standing(owner)["freeze"] is None


async def test_a_script_that_slips_in_does_not_run(house: House, at_a_browser: Seat) -> None:
    """Inline scripts, handlers, styles, eval and foreign addresses are stopped by the page's policy."""
    person = await at_a_browser(house)
    await person.open("sign-in")

    await person.page.evaluate("""async () => {
      const slipped = (name, attributes, text) => {
        const made = document.createElement(name);
        try {
          Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
          if (text) made.textContent = text;
        } catch { stopped("trusted types"); }
        document.body.append(made);
      };
      slipped("script", {}, "window.ran = 1");
      slipped("style", {}, "body { color: red }");
      slipped("img", { src: "http://127.0.0.1:9/x.png" });
      slipped("button", { onclick: "window.ran = 2" });
      setTimeout(() => { try { window.ran = eval("3"); } catch { stopped("eval"); } window.tried = true; });
      try { document.body.innerHTML += "x"; } catch { stopped("trusted types"); }
      await fetch("http://127.0.0.1:9/").catch(() => null);
    }""")

    await person.page.wait_for_function("window.tried")
    assert await person.page.evaluate("window.ran") is None
    assert {"style-src-elem", "img-src", "connect-src", "eval", "trusted types"} <= set(person.stopped)
    person.forgive(None)


async def test_every_answer_is_hardened(house: House) -> None:
    """Pages, answers and refusals alike carry the policy that keeps strangers out."""
    async with httpx.AsyncClient(base_url=house.exchange, trust_env=False) as http:
        for path, status in (("/pages/pay.html", 200), ("/pages/holdback.js", 200), ("/account", 401), ("/x", 404)):
            answer = await http.get(path)
            assert answer.status_code == HTTPStatus(status)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"


async def press_from_elsewhere(house: House, person: Person) -> None:
    """Have a page of another origin on this very host, for which cookies know no ports, ask in the owner's name."""
    foreign = await person.context.new_page()
    await foreign.goto(f"http://localhost:{house.ports.mailbox}/")
    await foreign.evaluate(
        """async ([url, body]) => {
          const plain = { method: "POST", mode: "no-cors", credentials: "include", body: JSON.stringify(body) };
          await fetch(url, plain).catch(() => null);
          const form = document.createElement("form");
          Object.assign(form, { action: url, method: "post", enctype: "text/plain" });
          document.documentElement.append(form);
          form.submit();
        }""",
        [f"{house.exchange}/security", FREEZE],
    )
    await foreign.wait_for_url(f"{house.exchange}/security")
    assert "other_origin" in await foreign.content()
