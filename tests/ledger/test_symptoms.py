"""What the models have now: the newest audit of the newest version that was audited."""

from auditor.records import Origin
from tests.ledger.makers import (
    DAY,
    START,
    audited,
    finding,
    note,
    version,
    versions,
    with_origin,
)

ASKED = {"rank_collapse", "over_trained"}


def saved(ledger, of, *found, at=START):
    ledger.save(of, audited(of, findings=found, policy=str(at)), sinks=[], at=at)


def test_an_empty_ledger_knows_no_model(ledger):
    assert ledger.symptoms(ASKED) == {}


def test_a_model_that_was_audited_is_there_with_what_was_asked_for(ledger):
    saved(ledger, version(1), finding("rank_collapse", "fc"), finding("random_like", "fc"))
    saved(ledger, version(1, "other"))
    assert ledger.symptoms(ASKED) == {
        "mlflow:digits": {("rank_collapse", "fc")},
        "mlflow:other": set(),
    }


def test_only_the_newest_audited_version_counts_whenever_it_was_audited(ledger):
    note(ledger, "mlflow", versions(1, 2, 3), None, None, START)
    saved(ledger, version(2), finding("over_trained", "b"))
    saved(ledger, version(1), finding("rank_collapse", "a"), at=START + DAY)
    assert ledger.symptoms(ASKED) == {"mlflow:digits": {("over_trained", "b")}}


def test_of_its_audits_only_the_newest_counts(ledger):
    saved(ledger, version(1), finding("rank_collapse", "fc"))
    saved(ledger, version(1), finding("over_trained", None), at=START + DAY)
    assert ledger.symptoms(ASKED) == {"mlflow:digits": {("over_trained", None)}}


def test_what_was_fixed_is_there_no_more_and_what_is_waived_is(ledger):
    saved(
        ledger,
        version(1),
        with_origin(finding("rank_collapse", "a"), Origin.FIXED),
        with_origin(finding("rank_collapse", "b"), Origin.WAIVED),
    )
    assert ledger.symptoms(ASKED) == {"mlflow:digits": {("rank_collapse", "b")}}
