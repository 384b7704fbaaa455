"""The routes of a face check: bodies of any kind get an answer that names what is wrong, and nothing goes on."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest
from tests.contracts.faces import Embedded
from tests.contracts.far_faces import SECRET, signed
from tests.web.platform_side import Web, is_problem

from holdback.evidence.face_vendor import VendorFace
from holdback.web import api, problems

if TYPE_CHECKING:
    import httpx

    from holdback.ports import FaceCheck
    from holdback.web.problems import Kind

JSON: Final = {"Content-Type": "application/json"}
FILM: Final = {"Content-Type": "application/octet-stream"}
STEP: Final[dict[str, Any]] = {"account": "alice", "token": "0" * 64}


def looking(web: Web, check: FaceCheck) -> Web:
    """The same deployment, where somebody looks at faces."""
    web.service.tools = web.service.tools._replace(faces=check)
    web.app.routes[:] = api.routes(web.service)
    return web


def refused(response: httpx.Response, kind: Kind) -> None:
    """It is this problem, whatever field it names."""
    is_problem(response, kind, response.json().get("pointer"))
    assert response.json()["type"].endswith(f":{kind.name}")


def framed(*pieces: bytes) -> bytes:
    """Each piece behind its length."""
    return b"".join(len(one).to_bytes(4) + one for one in pieces)


async def test_without_a_provider_there_is_no_check(web: Web) -> None:
    """A deployment that looks at no faces says so, on every route."""
    for path, body, kind in (
        ("/face/steps", msgspec.json.encode(STEP), JSON),
        ("/face/pictures", framed(msgspec.json.encode(STEP), b"picture"), FILM),
        ("/face/webhook", b"{}", JSON),
    ):
        refused(await web.http.post(path, content=body, headers=kind), problems.NO_FACE_CHECK)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"account": "alice"}',
        b'{"account": 5, "token": "x"}',
        msgspec.json.encode(STEP | {"digests": ["short"]}),
        msgspec.json.encode(STEP | {"digests": ["0" * 64] * 9}),
        msgspec.json.encode(STEP | {"times_ms": [-1]}),
        msgspec.json.encode(STEP | {"verdict": "pass"}),
    ],
)
async def test_what_is_no_step_is_refused(web: Web, body: bytes) -> None:
    """Whatever is no step is refused with 400, also before pictures."""
    looking(web, Embedded().check)
    refused(await web.http.post("/face/steps", content=body, headers=JSON), problems.BAD_REQUEST)
    film = framed(body, b"picture")
    refused(await web.http.post("/face/pictures", content=film, headers=FILM), problems.BAD_REQUEST)


@pytest.mark.parametrize("body", [b"", b"\x00", b"\x00\x00\x00\x00", b"\xff\xff\xff\xffx", framed(b"{") + b"\x00"])
async def test_a_film_that_does_not_add_up_is_refused(web: Web, body: bytes) -> None:
    """Lengths that are not of what follows are refused, and none is believed."""
    looking(web, Embedded().check)
    refused(await web.http.post("/face/pictures", content=body, headers=FILM), problems.BAD_REQUEST)


async def test_there_is_no_case_without_its_key(web: Web) -> None:
    """An account without a recovery, one that is not there and a wrong key are one answer."""
    looking(web, Embedded().check)
    for account in ("alice", "nobody", "no/account"):
        step = msgspec.json.encode(STEP | {"account": account})
        refused(await web.http.post("/face/steps", content=step, headers=JSON), problems.UNKNOWN_RECOVERY)


async def test_a_vendors_message_needs_its_signature(web: Web) -> None:
    """A message signed as agreed is taken, whoever waits for it, every other one refused; the store is not asked."""
    looking(web, VendorFace("https://vendor.example", "key", SECRET))
    await web.service.store.close()
    body = b'{"check": "0123456789"}'
    assert (await web.http.post("/face/webhook", content=body, headers=JSON | signed(body))).status_code == 204
    for headers in (JSON, JSON | signed(b"{}")):
        refused(await web.http.post("/face/webhook", content=body, headers=headers), problems.UNAUTHENTICATED)


async def test_the_page_admits_itself_only(web: Web) -> None:
    """Style and script of the page are named by their digests; the key stands in it once, and in no link."""
    form = {"account": "alice", "token": "a key <of> mine"}
    page = await web.http.post("/face", data=form)
    policy = page.headers["content-security-policy"]
    for kind, tag in (("style", "style"), ("script", "script")):
        text = page.text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert page.text.count("a key &lt;of&gt; mine") == 1
    assert re.findall(r"(?:src|href)=", page.text) == []
    assert page.headers["cache-control"] == "no-store"
    refused(await web.http.post("/face", data={"account": "alice"}), problems.BAD_REQUEST)
    assert (await web.http.get("/face")).status_code == 200


async def test_the_page_speaks_the_readers_language(web: Web) -> None:
    """Whoever reads Chinese is asked and told in Chinese, by the page and by its script."""
    chinese = {"Accept-Language": "zh-CN"}
    asks = await web.http.get("/face", headers=chinese)
    check = await web.http.post("/face", data={"account": "alice", "token": "key"}, headers=chinese)
    for page in (asks, check):
        assert 'lang="zh"' in page.text
        shown = re.sub(r"<style.*?</style>|<script.*?</script>|<[^>]+>", "", page.text, flags=re.DOTALL)
        assert re.findall(r"[A-Za-z]{3,} [a-z]{2,}", shown) == []
    spoken = check.text.partition("<script>")[2]
    assert re.findall(r'"[A-Z][a-z]+ [a-z]', spoken) == []
