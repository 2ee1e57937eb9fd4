from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from auditor.ledger.columns import AnyText, Utc
from auditor.ledger.models import natural

DIALECT = sqlite.dialect()
anything = st.text(alphabet=st.characters(categories=None) | st.sampled_from("\0\ud800\udcff\x1a"))


@given(text=anything)
def test_any_text_is_stored_as_text_a_database_takes_and_comes_back(text):
    column = AnyText()
    stored = column.process_bind_param(text, DIALECT)
    assert stored is not None
    assert "\0" not in stored
    stored.encode("utf-8")
    assert column.process_result_value(stored, DIALECT) == text


@given(first=anything, second=anything)
def test_different_texts_stay_different(first, second):
    column = AnyText()
    stored = [column.process_bind_param(text, DIALECT) for text in (first, second)]
    assert (stored[0] == stored[1]) == (first == second)


def test_moment_keeps_its_instant_in_utc():
    column = Utc()
    local = datetime(2026, 1, 5, 1, 30, tzinfo=timezone(timedelta(hours=9)))
    stored = column.process_bind_param(local, DIALECT)
    assert stored is not None
    found = column.process_result_value(stored.replace(tzinfo=None), DIALECT)
    assert found == local
    assert found is not None
    assert found.tzinfo is UTC


@given(numbers=st.lists(st.integers(0, 10**18), min_size=2, max_size=6))
def test_natural_order_of_numbers_is_their_order(numbers):
    texts = [str(number) for number in numbers]
    assert sorted(texts, key=natural) == sorted(texts, key=int)
