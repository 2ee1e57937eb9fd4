"""What messages to people are made of."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from auditor.ledger import Notice, State, Told
from auditor.records import Gone, Verdict
from tests.ledger.makers import DAY, HOUR, MINUTE, START, audited, note, version, versions


def save(ledger, one, verdict=Verdict.PASS, **others):
    ledger.save(one, audited(one, verdict=verdict, **others), sinks=("files",), at=START)


def notice(key: str, target: str = "team") -> Notice:
    return Notice(key, target, "info", key, "text")


def test_audits_come_in_order_with_how_their_version_came_to_them(ledger):
    assert ledger.newest_audit() == 0
    note(ledger, "mlflow", versions(1, 2), "c", 2, START)
    note(ledger, "mlflow", versions(3), "c", 2, START)
    for number in (1, 2, 3):
        save(ledger, version(number), Verdict.REVIEW)
    save(ledger, version(1, "by-hand"))
    found = ledger.audited(0)
    assert [str(one.version) for one in found] == [
        "mlflow:digits@1",
        "mlflow:digits@2",
        "mlflow:digits@3",
        "mlflow:by-hand@1",
    ]
    assert [one.fresh for one in found] == [False, False, True, False]
    assert [one.backfilled for one in found] == [False, False, False, True]
    assert (found[0].verdict, found[0].reason, found[0].state) == ("REVIEW", "because", State.DONE)
    assert found[-1].id == ledger.newest_audit()
    assert [one.id for one in ledger.audited(found[2].id, [found[0].id])] == [
        found[0].id,
        found[3].id,
    ]


def test_more_audits_can_be_held_than_a_statement_takes(ledger):
    save(ledger, version(1))
    assert len(ledger.audited(0, range(1, 2000))) == 1


def test_what_was_known_is_what_was_saved_before(ledger):
    note(ledger, "mlflow", versions(1, 2), "c", 2, START)
    save(ledger, version(1), Verdict.REVIEW)
    save(ledger, version(2), Verdict.BLOCK)
    save(ledger, version(1), Verdict.PASS, policy="milder")
    first, second, again = ledger.before(ledger.audited(0))
    assert (first.verdict, first.previous, first.previous_verdict) == (None, None, None)
    assert (second.verdict, second.previous, second.previous_verdict) == (None, "1", "REVIEW")
    assert (again.verdict, again.previous) == ("REVIEW", None)
    assert (first.newest, second.newest) == (False, True)


def test_a_first_look_is_through_when_nothing_of_it_waits(ledger):
    note(ledger, "mlflow", versions(1, 2, 3), "c", 1, START)
    assert ledger.first_looks() == {"mlflow"}
    save(ledger, version(3))
    assert ledger.first_looks() == set()
    note(ledger, "mlflow", versions(4), "c", 1, START)
    assert ledger.first_looks() == set()  # it is new
    save(ledger, version(4))
    ledger.backfill("mlflow", None, None)
    assert ledger.first_looks() == set()


def test_the_newest_version_that_was_refused_is_told(ledger):
    note(ledger, "mlflow", versions(1, 2), "c", 2, START)
    ledger.refused(version(1), "elsewhere")
    assert ledger.refused_versions() == {}
    ledger.refused(version(2), "elsewhere")
    ((found, reason),) = ledger.refused_versions().values()
    assert (str(found), reason) == ("mlflow:digits@2", "elsewhere")


def test_a_model_is_gone_when_all_its_versions_are(ledger):
    note(ledger, "mlflow", versions(1, 2), "c", 2, START)
    ledger.note("mlflow", Told(changes=[Gone(version(1), "deleted")]), START, history=1)
    assert ledger.gone_models() == {}
    ledger.note("mlflow", Told(changes=[Gone(version(2), "deleted")]), START, history=1)
    assert ledger.gone_models() == {("mlflow", "digits"): "deleted"}


def test_a_sink_is_stuck_that_failed_to_take_something_old(ledger):
    save(ledger, version(1))
    assert ledger.stuck(START + DAY) == []  # nobody has tried
    (due,) = ledger.due(START)
    ledger.undelivered(due.id, "disk full", START, MINUTE)
    assert ledger.stuck(START) == []
    (found,) = ledger.stuck(START + HOUR)
    assert (found.sink, found.waiting, found.reason) == ("files", 1, "disk full")


def test_a_target_is_told_by_who_knew_what_it_knew(ledger):
    assert ledger.memory("team") is None
    assert ledger.tell("team", (None, "1"), [notice("a")], START)
    assert not ledger.tell("team", (None, "2"), [notice("b")], START)
    assert ledger.tell("team", ("1", "2"), [notice("c")], START)
    assert ledger.memory("team") == "2"
    keys = []
    while taken := ledger.take_notices(START, HOUR):
        keys += [one.notice.key for one in taken]
        ledger.notified(taken[0].id, START)
    assert keys == ["a", "c"]


def test_of_many_that_tell_at_once_one_does(ledger):
    barrier = Barrier(6)

    def tell(number: int) -> bool:
        barrier.wait()
        told = [notice(str(number))]
        return bool(ledger.tell("team", (None, str(number)), told, START))

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(tell, range(6))) == 1
    assert len(ledger.take_notices(START, HOUR)) == 1


def test_the_first_message_of_an_address_holds_up_the_others(ledger):
    ledger.notify([notice("a"), notice("b"), notice("c", "crew")], START)
    first, other = ledger.take_notices(START, HOUR)
    assert (first.notice.key, other.notice.key) == ("a", "c")
    ledger.unnotified(first.id, "silent", START, MINUTE)
    assert ledger.take_notices(START, HOUR) == []
    (again,) = ledger.take_notices(START + MINUTE, HOUR)
    assert (again.id, again.attempts) == (first.id, 1)
    ledger.abandon(again.id, "silent for days")
    assert [one.notice.key for one in ledger.take_notices(START + MINUTE, HOUR)] == ["b"]


def test_targets_that_are_not_configured_are_forgotten(ledger):
    ledger.tell("team", (None, "1"), [notice("a")], START)
    ledger.tell("crew", (None, "1"), [notice("b", "crew")], START)
    ledger.only_targets(["crew"])
    assert (ledger.memory("team"), ledger.memory("crew")) == (None, "1")
    assert [one.notice.target for one in ledger.take_notices(START, HOUR)] == ["crew"]
