"""The page as markup: what it may do, and that no name becomes part of it."""

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from auditor.render import render
from auditor.render.text import visible
from tests.render import factory

CASES = ("passing", "reviewed", "blocked", "incomplete", "hostile")


class Page(HTMLParser):
    """Elements with their attributes, and the text of each."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, str] = {}
        self.stack: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.stack.append(tag)

    def handle_data(self, data):
        kind = (
            self.stack[-1] if self.stack and self.stack[-1] in {"style", "script", "title"} else ""
        )
        self.texts[kind] = self.texts.get(kind, "") + data
        if kind:
            self.stack.append("")


def parsed(name: str) -> Page:
    return Page(render(getattr(factory, name)()))


@pytest.mark.parametrize("name", CASES)
def test_the_page_asks_for_nothing_and_has_no_code_in_attributes(name):
    for tag, attributes in parsed(name).elements:
        assert tag not in {"img", "link", "iframe", "object", "embed", "base", "image", "use"}
        for attribute, value in attributes.items():
            assert attribute not in {"style", "src", "srcset", "action", "formaction"}
            assert not attribute.startswith("on")
            if attribute == "href":
                assert value.startswith("#")


@pytest.mark.parametrize("name", CASES)
def test_style_and_script_are_the_ones_the_policy_names(name):
    text = render(getattr(factory, name)())
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    policy = policy.replace("&#39;", "'").replace("&#43;", "+")
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    blocks = {
        "style-src": re.findall(r"<style>(.*?)</style>", text, re.DOTALL),
        "script-src": re.findall(r"<script>(.*?)</script>", text, re.DOTALL),
    }
    for directive, (block,) in blocks.items():
        digest = b64encode(sha256(block.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy


@pytest.mark.parametrize("name", factory.HOSTILE)
def test_a_hostile_name_is_text_in_full_and_nothing_else(name):
    page = parsed("hostile")
    assert visible(name) in page.texts[""]
    scripts = [attributes for tag, attributes in page.elements if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "data"}, {}]


def test_all_facts_are_there_without_the_script():
    document = factory.reviewed()
    text = parsed("reviewed").texts[""]
    for layer in document["layers"]:
        assert layer["name"] in text
        assert layer["digest"] in text
    for finding in document["findings"]:
        assert finding["message"] in text
        assert finding["advice"] in text
    for skip in document["skipped"]:
        assert skip["name"] in text
    for row in document["gate"]:
        assert row["condition"] in text


def test_every_drawing_has_a_sentence():
    drawings = [a for tag, a in parsed("reviewed").elements if tag == "svg"]
    charts = [a for a in drawings if a.get("role") == "img"]
    assert charts
    assert all(a["aria-label"].endswith(".") for a in charts)
    assert all(a.get("aria-hidden") == "true" for a in drawings if a not in charts)


def test_the_worst_finding_is_open_and_the_others_are_not():
    found = [a for tag, a in parsed("blocked").elements if tag == "details" and "id" in a]
    assert ["open" in attributes for attributes in found] == [True] + [False] * (len(found) - 1)


def test_a_large_model_fits_in_a_megabyte():
    assert len(render(factory.large()).encode()) <= 1_000_000


def test_ids_are_unique():
    ids = [attributes["id"] for _, attributes in parsed("hostile").elements if "id" in attributes]
    assert len(ids) == len(set(ids))
