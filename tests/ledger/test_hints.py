import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from auditor.ledger import Hint
from tests.ledger.makers import DAY, MINUTE, START

HINT = Hint("mlflow:7d5d2c60-delivery", "mlflow", "digits", START)
AT_ONCE = 8


def test_the_same_hint_many_times_at_once_is_kept_once(ledger):
    begin = threading.Barrier(AT_ONCE)

    def add(number):
        begin.wait()
        return ledger.hint(replace(HINT, id=f"{HINT.id}-{number}"))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for number in range(10):
            assert sum(pool.map(add, [number] * AT_ONCE)) == 1
    assert len(ledger.hints()) == 10


def test_a_hint_that_was_followed_is_no_news_when_it_comes_again(ledger):
    assert ledger.hint(HINT)
    ledger.followed("mlflow", "digits", START, START + MINUTE)
    assert ledger.hints() == []
    assert not ledger.hint(HINT)
    assert ledger.hints() == []


def test_a_hint_that_came_while_the_look_was_on_its_way_stays(ledger):
    later = replace(HINT, id="later", received_at=START + MINUTE)
    ledger.hint(HINT)
    ledger.hint(later)
    ledger.followed("mlflow", "digits", START, START + MINUTE)
    assert ledger.hints() == [later]


def test_a_flood_of_hints_is_one_look_at_the_whole_source(ledger):
    for number in range(1000):
        assert ledger.hint(replace(HINT, id=f"{number}", model=f"m{number}"))
    assert all(state.asked_at is None for state in ledger.sources())
    assert ledger.hint(replace(HINT, id="other", source="hub"))  # no other source pays for it
    for number in range(1000, 1020):
        assert ledger.hint(replace(HINT, id=f"{number}", model=f"m{number}"))
    assert len(ledger.hints()) == 1001
    assert {state.name: state.asked_at for state in ledger.sources()} == {"mlflow": START}
    assert not ledger.hint(replace(HINT, id="999"))


def test_what_was_followed_long_ago_is_forgotten(ledger):
    ledger.hint(HINT)
    ledger.followed("mlflow", "digits", START, START)
    ledger.followed("mlflow", "faces", START, START + DAY)
    assert not ledger.hint(HINT)
    ledger.followed("mlflow", "faces", START, START + DAY + MINUTE)
    assert ledger.hint(HINT)
