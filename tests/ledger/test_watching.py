from dataclasses import replace

import pytest
from sqlalchemy.exc import StatementError

from tests.ledger.makers import DAY, HOUR, MINUTE, START, audited, note, version, versions, waiting


def claimed(ledger) -> list[str]:
    """Everything that can be claimed, in that order."""
    found = []
    while claim := ledger.claim(START, lease=HOUR, owner="me"):
        found.append(claim.version)
        ledger.save(claim.version, audited(claim.version), sinks=[], at=START)
    return [of.id.version for of in found]


@pytest.mark.parametrize(
    ("history", "waiting"),
    [(None, ["1", "2", "3"]), (2, ["2", "3"]), (1, ["3"]), (0, []), (9, ["1", "2", "3"])],
)
def test_only_the_newest_versions_of_a_new_model_wait(ledger, history, waiting):
    assert note(ledger, "mlflow", versions(3, 1, 2), None, history, START) == len(waiting)
    assert ledger.states()["history"] == 3 - len(waiting)
    assert claimed(ledger) == waiting


def test_later_versions_of_a_known_model_always_wait(ledger):
    note(ledger, "mlflow", versions(1, 2), None, 0, START)
    assert note(ledger, "mlflow", versions(1, 2, 3, 4), None, 0, START) == 2
    assert claimed(ledger) == ["3", "4"]


def test_model_whose_history_is_not_audited_is_known_all_the_same(ledger):
    note(ledger, "mlflow", versions(5), None, 0, START)
    assert note(ledger, "mlflow", versions(4), None, 0, START) == 1  # an old one, found late


def test_history_is_counted_for_each_model_by_itself(ledger):
    seen = versions(1, 2, model="a") + versions(1, 2, 3, model="b")
    assert note(ledger, "mlflow", seen, None, 1, START) == 2


def test_model_of_the_same_name_elsewhere_is_another_one(ledger):
    note(ledger, "mlflow", versions(1), None, 0, START)
    elsewhere = [replace(v, id=replace(v.id, source="hub")) for v in versions(1, 2)]
    assert note(ledger, "hub", elsewhere, None, 1, START) == 1


def test_version_announced_again_changes_nothing(ledger):
    note(ledger, "mlflow", versions(1, 2), None, None, START)
    claim = ledger.claim(START, lease=HOUR, owner="me")
    before = ledger.states()
    assert note(ledger, "mlflow", [*versions(1, 2), *versions(2, 1)], None, None, START + DAY) == 0
    assert ledger.states() == before
    assert claim.version == version(1)


def test_name_used_again_after_a_deletion_is_a_new_version(ledger):
    note(ledger, "mlflow", versions(1), None, None, START)
    assert claimed(ledger) == ["1"]
    again = version(1, day=9)
    assert note(ledger, "mlflow", [again], None, 1, START) == 1
    assert ledger.claim(START, lease=HOUR, owner="me").version == again


def test_audit_by_hand_does_not_make_a_model_known(ledger):
    ledger.save(version(3), audited(version(3)), sinks=[], at=START)
    assert note(ledger, "mlflow", versions(1, 2, 3, 4), None, 2, START) == 1
    assert claimed(ledger) == ["4"]  # 3 is one of the two newest and is done
    assert note(ledger, "mlflow", versions(5, 6), None, 0, START) == 2


def test_announcement_of_what_was_audited_by_hand_makes_the_model_known(ledger):
    ledger.save(version(1), audited(version(1)), sinks=[], at=START)
    assert note(ledger, "mlflow", versions(1), None, 0, START) == 0
    assert note(ledger, "mlflow", versions(1, 2), None, 0, START) == 1


def test_version_comes_back_as_it_was_announced(ledger):
    strange = replace(
        version("1/α\0\udc80\x1a", model="../d'; DROP TABLE versions;--", day=1),
        facts={"k\udcff": "v\0"},
        location="\x1a",
    )
    note(ledger, "mlflow", [strange], "cursor\udc80", None, START)
    claim = ledger.claim(START, lease=HOUR, owner="me")
    assert claim.version == strange
    assert claim.version.identity == strange.identity
    assert ledger.cursor("mlflow") == "cursor\udc80"


def test_cursor_goes_with_the_versions_and_stays_without_a_new_one(ledger):
    assert ledger.cursor("mlflow") is None
    note(ledger, "mlflow", versions(1), "page 1", None, START)
    note(ledger, "mlflow", [], None, None, START + HOUR)
    assert ledger.cursor("mlflow") == "page 1"
    assert ledger.cursor("hub") is None


def test_sweep_that_cannot_be_noted_does_not_move_the_cursor(ledger):
    note(ledger, "mlflow", versions(1), "page 1", None, START)
    naive = replace(version(2, model="other"), created_at=START.replace(tzinfo=None))
    with pytest.raises(StatementError, match="has no time zone"):
        note(ledger, "mlflow", [version(3), naive], "page 2", None, START)
    assert ledger.cursor("mlflow") == "page 1"
    assert waiting(ledger) == 1


def test_source_is_unreachable_until_it_answers(ledger):
    note(ledger, "mlflow", [], "page 1", None, START)
    ledger.unreachable("mlflow", "503", START + HOUR)
    (state,) = ledger.sources()
    assert (state.cursor, state.last_success) == ("page 1", START)
    assert (state.last_error, state.failed_at) == ("503", START + HOUR)
    note(ledger, "mlflow", [], None, None, START + DAY)
    (state,) = ledger.sources()
    assert (state.last_error, state.last_success) == (None, START + DAY)


def test_sources_are_listed_also_when_they_never_answered(ledger):
    ledger.unreachable("mlflow", "refused", START)
    note(ledger, "hub", [], None, None, START)
    assert [(state.name, state.last_error) for state in ledger.sources()] == [
        ("hub", None),
        ("mlflow", "refused"),
    ]


def test_backfill_takes_the_newest_of_each_model_oldest_first(ledger):
    seen = versions(1, 2, 3, 10, 9, model="a") + versions(1, 2, model="b")
    note(ledger, "mlflow", seen, None, 0, START)
    assert ledger.backfill("mlflow", None, 2) == 4
    assert claimed(ledger) == ["1", "2", "9", "10"]  # of b: 1, 2


def test_backfill_of_one_model_takes_all_of_its_history_once(ledger):
    seen = versions(1, 2, 3, model="a") + versions(1, model="b")
    note(ledger, "mlflow", seen, None, 1, START)
    assert ledger.backfill("mlflow", "a", None) == 2
    assert ledger.backfill("mlflow", "a", None) == 0
    assert ledger.backfill("hub", None, None) == 0
    assert ledger.states()["history"] == 0
    assert claimed(ledger) == ["1", "1", "2", "3"]


def test_moment_without_a_time_zone_is_refused(ledger):
    with pytest.raises(StatementError, match="has no time zone"):
        note(ledger, "mlflow", [], None, None, START.replace(tzinfo=None))


def test_thousands_of_versions_are_noted_at_once(ledger):
    seen = [version(n, f"m{n}", day=n / 1440) for n in range(2000)]
    assert note(ledger, "mlflow", seen, None, 1, START) == 2000
    assert note(ledger, "mlflow", seen, None, 1, START + MINUTE) == 0
