"""Forms: what a page sends is read in one way by the server and by the script that signs it."""

from __future__ import annotations

import json
import re
from importlib import resources

import pytest

from holdback.web import forms

SCRIPT = (resources.files("holdback.web") / "static" / "fields.js").read_text()


@pytest.mark.parametrize(
    ("name", "here"),
    [("NUMBERS", forms._NUMBERS), ("FLAGS", forms._FLAGS), ("LISTS", forms._LISTS)],  # noqa: SLF001 - the rule is that both sides agree
)
def test_the_script_reads_alike(name: str, here: frozenset[str]) -> None:
    """The script that signs a form takes the same fields for numbers, flags and lists as the server."""
    found = re.search(rf"const {name} = new Set\((\[[^\]]*\])\)", SCRIPT)
    assert found is not None
    assert set(json.loads(found.group(1))) == here


def test_an_action_is_what_the_page_does_not_keep_for_itself() -> None:
    """Fields with an underscore are the page's own; of the rest, typed, an action is made."""
    given = forms.fields(b"action=vault.set&share=30&_word=w&_proof.totp=123456&_challenge=ch_1")
    assert forms.named(given) == {"action": "vault.set", "share": 30}
    assert forms.proved(given) == {"proofs": [{"kind": "totp", "response": "123456"}], "challenge": "ch_1"}


@pytest.mark.parametrize("body", [b"\xff=1", b"a=%ff", b"&".join(b"f%d=1" % n for n in range(200))])
def test_a_form_that_cannot_be_read_names_nothing(body: bytes) -> None:
    """Bytes that are no form, or more fields than any page has, are read as nothing at all."""
    assert forms.fields(body) == {}


def test_a_field_given_twice_is_dropped() -> None:
    """Of a field that is no list and comes twice neither counts; lists keep each of theirs."""
    assert forms.fields(b"which=a&which=b&scopes=read&scopes=trade") == {"scopes": "read\ntrade"}


def test_lines_end_as_the_script_signs_them() -> None:
    """A line's end is one character, as scripts read it, though browsers send two: else no device's signature fits."""
    assert forms.fields(b"story=They+called.%0D%0AThen+it+was+gone.") == {"story": "They called.\nThen it was gone."}
