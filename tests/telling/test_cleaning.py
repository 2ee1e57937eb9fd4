"""Names of strangers are only text, wherever a message is shown."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.telling.cleaning import MEANINGFUL, clean
from tests.ledger.makers import version

few = settings(deadline=None, derandomize=True, max_examples=60)


HOSTILE = st.lists(
    st.sampled_from(
        [
            "@here",
            "@everyone",
            "<!channel>",
            "<@U123>",
            "[a](http://b)",
            "<img src=x>",
            "`",
            "**",
            "https://evil.example",
            "www.evil.example",
            "\n",
            "\r\n",
            "\x1b[31m",
            "\u202e",
            "\0",
            "&lt;",
            "a" * 300,
            "é",
            "模型",
        ]
    )
    | st.text(max_size=20)
).map("".join)


@few
@given(text=HOSTILE)
def test_nothing_is_left_that_means_something(text):
    shown = clean(text, 80)
    assert not set(shown) & set(MEANINGFUL)
    assert shown.isprintable()
    assert len(shown) <= 90  # www. and :// become a little longer
    assert not re.search(r"https?://|www\.", shown, re.IGNORECASE)


@few
@given(text=st.text(alphabet="abcXYZ0189-_./: ,;=+%", max_size=80))
def test_ordinary_names_stay_as_they_are(text):
    if "://" not in text and "=" not in text:
        assert clean(text, 80) == text


def test_a_hostile_model_cannot_call_everybody(world, receiver):
    one = version(1, "x\n@here <!channel> [click](https://evil.example) \x1b[31m")
    world.judged(one, "BLOCK")
    (message,) = receiver.got
    text = message["title"] + message["message"]
    assert "@" not in text
    assert "<" not in text
    assert "](" not in text
    assert "://" not in text
    assert len(message["title"].splitlines()) == 1


@pytest.mark.parametrize("text", ["www.x", "WWW.x", "wWw.x"])
def test_an_address_without_a_scheme_is_no_link(text):
    assert not clean(text, 80).lower().startswith("www.")
