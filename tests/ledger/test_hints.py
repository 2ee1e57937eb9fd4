import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from auditor.ledger import Hint
from tests.ledger.makers import MINUTE, START

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
