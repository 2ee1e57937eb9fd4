"""Numbers and names as text."""

import math
import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from auditor.render import text

finite = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300)


def read(shown: str) -> float:
    """The number a reader takes from a text."""
    plain = shown.replace("−", "-").replace(",", "")
    mantissa, _, power = plain.partition("·10")
    digits = power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    return float(f"{mantissa}e{digits or 0}")


@given(finite, st.integers(1, 6))
def test_a_number_is_right_to_its_digits(value, digits):
    assume(value == 0 or abs(value) > 1e-290)
    assert read(text.number(value, digits)) == pytest.approx(value, rel=0.6 * 10 ** (1 - digits))


@pytest.mark.parametrize("form", [text.number, text.exact, text.fixed, text.change])
@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_an_undefined_number_is_a_dash_and_never_a_zero(form, value):
    assert form(value) == "–"


@given(st.text())
def test_visible_text_has_nothing_invisible(given_text):
    shown = text.visible(given_text)
    hidden = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert not [c for c in shown if unicodedata.category(c) in hidden and c not in "\n\t"]


@given(st.text(st.characters(categories=("L", "N", "P"))))
def test_letters_of_every_script_are_left_alone(given_text):
    assert text.visible(given_text) == given_text


def test_a_direction_mark_cannot_turn_a_name_around():
    assert text.visible("fc1\u202egnp.exe") == r"fc1\u202egnp.exe"


@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_a_share_is_never_rounded_up_to_all(part, whole):
    assume(part < whole)
    assert text.percent(part, whole) != "100 %"


@pytest.mark.parametrize("ends", [None, (), (1.0, None), (None, None)])
def test_half_an_interval_is_no_interval(ends):
    assert text.interval(ends) == ""
