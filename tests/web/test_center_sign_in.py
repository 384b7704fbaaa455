"""Signing in to the Security Center: by a name however it is written, and back to what was to be read."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.web.browsing import Browser


async def test_a_name_is_one_name_however_it_is_written(browser: Browser) -> None:
    """Whoever writes his name in capitals, or with a space behind it, is signed in as himself."""
    answer = await browser.sign_in(" ALICE@Example.com ")
    assert answer.status_code == HTTPStatus.SEE_OTHER
    assert (await browser.get("/holds")).status_code == HTTPStatus.OK


@pytest.mark.parametrize("path", ["/holds", "/robbed", "/viewers"])
async def test_the_way_leads_through_the_sign_in_and_back(browser: Browser, path: str) -> None:
    """Whoever is not signed in is led to the sign-in, which knows where to go on; a script is told to go there."""
    answer = await browser.get(path)
    assert answer.status_code == HTTPStatus.SEE_OTHER
    assert answer.headers["location"] == f"/center/sign-in?back=%2Fcenter{path.replace('/', '%2F')}"
    form = await browser.get(answer.headers["location"].removeprefix("/center"))
    assert f'name="_back" value="/center{path}"' in form.text
    scripted = await browser.web.http.get(f"/center{path}", headers={"HX-Request": "true"})
    assert (scripted.status_code, scripted.headers["hx-redirect"]) == (
        HTTPStatus.NO_CONTENT,
        answer.headers["location"],
    )


@pytest.mark.parametrize(
    "back", ["https://evil.example/", "//evil.example", "/center/../v1", "/centerfold", "/center//x"]
)
async def test_back_is_never_elsewhere(browser: Browser, back: str) -> None:
    """The sign-in leads back to pages of the Security Center alone."""
    form = await browser.web.http.get("/center/sign-in", params={"back": back})
    assert 'name="_back" value="/center"' in form.text
