"""The tag ``auditor.decision``: what it may say, and what follows from it on a real server."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.ledger import Ledger
from auditor.mlflow_client.marks import Mark, cursor, marks
from auditor.mlflow_client.registry import DECISION, Registry
from auditor.mlflow_client.saying import NO_REASON, SOMEBODY, statement
from auditor.records import NOTHING, TAG, Said, Statement
from auditor.sources.mlflow import Mlflow
from tests.mlflow_server import Server, running
from tests.watching import noted, watch

pytestmark = pytest.mark.wide

WEIGHTS = {"model.safetensors": b"weights"}
NEVER = 10.0**9  # seconds until everything is looked at
LAST = date(2026, 12, 31)
TODAY = datetime.now(UTC).date()


# --- what it may say --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "accept", "by", "reason", "until"),
    [
        ("accept", True, SOMEBODY, NO_REASON, None),
        ("  ACCEPTED\n", True, SOMEBODY, NO_REASON, None),
        ("Reject", False, SOMEBODY, NO_REASON, None),
        ("accept: evaluated on the pilot", True, SOMEBODY, "evaluated on the pilot", None),
        ("accept :fine", True, SOMEBODY, "fine", None),
        ("reject (by ann)", False, "ann", NO_REASON, None),
        ("reject: labels: shuffled (by ann lee)", False, "ann lee", "labels: shuffled", None),
        ("accept until 2026-12-31", True, SOMEBODY, NO_REASON, LAST),
        ("accept until 2026-12-31 : for\nthe\0pilot ( by a )", True, "a", "for the pilot", LAST),
        ("accept until 2026-12-31 (by ann)", True, "ann", NO_REASON, LAST),
        ("accept: (by ann)", True, "ann", NO_REASON, None),
        ("accept: seen (twice) (by ann)", True, "ann", "seen (twice)", None),
    ],
)
def test_a_tag_says_who_why_and_until_when_as_far_as_it_says_so(text, accept, by, reason, until):
    assert statement(text) == Statement(accept, by, reason, until)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "found '': expected accept or reject, then until DATE"),
        ("acept", "found 'acept': expected accept or reject"),
        ("accept it", "expected accept or reject"),
        ("rejection", "expected accept or reject"),
        ("PASS", "expected accept or reject"),
        ("accept until", "expected accept or reject"),
        (
            "accept until tomorrow: fine",
            "found until 'tomorrow': expected a day such as 2026-12-31",
        ),
        ("accept until 2026-02-30", "found until '2026-02-30': expected a day"),
        (f"accept{' ' * 2000}once fc2 is repaired", "found 2,026 characters: expected 1,000"),
        ("accept\0it", "found 'accept it': expected accept or reject"),
    ],
)
def test_what_is_not_understood_is_a_sentence(text, said):
    with pytest.raises(ValueError, match="expected") as caught:
        statement(text)
    assert said in str(caught.value)


def answer(text: str) -> str:
    """Who says it, as far as it is understood, else why not."""
    try:
        return statement(text).by
    except ValueError as error:
        return str(error)


@given(st.text(), st.sampled_from(["", "accept", "accept: ", "reject until ", "accept: ( by "]))
def test_any_text_is_understood_or_refused_in_one_line(text, start):
    found = answer(start + text)
    assert 0 < len(found) < 1000
    assert found.isprintable()


def test_a_long_hostile_tag_takes_no_time():
    for text in ("accept:" + " x" * 50_000, "accept (" * 20_000, "accept" + " " * 100_000 + "x"):
        assert len(answer(text)) < 300


def test_a_mark_of_an_earlier_program_has_heard_nothing():
    at = Mark(full=7, said="abc", asked=5, tags=2, doubts=("?",))
    text = cursor({"": at}, "w")
    assert marks(text, "w") == {"": at}
    earlier = text.replace(',"said":"abc","asked":5,"tags":2,"doubts":["?"]', "")
    assert marks(earlier, "w") == {"": Mark(full=7)}
    assert at.whole(9).said == ""  # all is told again after a look at everything


@pytest.mark.parametrize(("tags", "seconds"), [(0, 0), (100, 0), (600, 60), (5000, 500)])
def test_the_more_tags_there_are_the_less_often_they_are_asked_for(tags, seconds):
    at = Mark(asked=1_000_000, tags=tags)
    if seconds:
        assert at.is_silent(1_000_000 + seconds * 1000 - 1)
    assert not at.is_silent(1_000_000 + seconds * 1000)
    assert not at.is_silent(999_999)  # the clock was set back
    assert not at.whole(1_000_001).is_silent(10**12)


# --- on a real server -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Server:
    return running()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    found = Ledger.open(f"sqlite:///{tmp_path}/auditor.db")
    yield found
    found.close()


def watching(server: Server, name: str, *, decisions: bool = True) -> Mlflow:
    models = (f"{name}",)
    return Mlflow(server.uri, models=models, history=None, reconcile=NEVER, decisions=decisions)


def decided(ledger: Ledger, source: Mlflow) -> list[tuple[bool | None, str]]:
    """Accepted or not, or None where it was taken back; and by whom."""
    return [
        (None if one.decision.is_withdrawal else one.decision.accept, one.decision.by)
        for one in ledger.decisions(source.name)
    ]


def test_a_tag_is_a_decision_until_it_is_changed_or_removed(server, ledger):
    name = server.model()
    server.register(name, WEIGHTS)
    source = watching(server, name)
    watch(source, ledger)
    server.client.set_model_version_tag(name, "1", "auditor.verdict", "BLOCK")  # as the sink does
    server.client.set_model_version_tag(name, "1", DECISION, "accept: fine (by ann)")
    for _ in range(3):
        watch(source, ledger)
    assert decided(ledger, source) == [(True, "ann")]
    (version,) = noted(source, ledger)
    assert ledger.decision(version, TODAY).via == TAG
    server.client.set_model_version_tag(name, "1", DECISION, "reject (by bob)")
    watch(source, ledger)
    assert decided(ledger, source) == [(True, "ann"), (False, "bob")]
    server.client.delete_model_version_tag(name, "1", DECISION)
    for _ in range(2):
        watch(source, ledger)
    assert decided(ledger, source) == [(True, "ann"), (False, "bob"), (None, "bob")]
    assert ledger.decision(version, TODAY) is None


@pytest.mark.wide
def test_what_is_not_understood_is_a_remark_and_what_was_said_stays(server, ledger):
    name = server.model()
    server.register(name, WEIGHTS)
    source = watching(server, name)
    watch(source, ledger)
    server.client.set_model_version_tag(name, "1", DECISION, "accept")
    watch(source, ledger)
    server.client.set_model_version_tag(name, "1", DECISION, "rejectt")
    for _ in range(2):
        watch(source, ledger)
        (state,) = ledger.sources()
        doubt = f"models:/{name}/1: found 'rejectt': expected accept or reject"
        assert doubt in state.remarks["decisions not understood"]
    assert decided(ledger, source) == [(True, SOMEBODY)]
    server.client.set_model_version_tag(name, "1", DECISION, "accept")
    watch(source, ledger)
    assert "decisions not understood" not in ledger.sources()[0].remarks
    assert len(ledger.decisions(source.name)) == 1


@pytest.mark.wide
def test_tags_that_we_write_say_nothing(server, ledger):
    name = server.model()
    server.register(name, WEIGHTS)
    source = watching(server, name)
    watch(source, ledger)
    server.client.set_model_version_tag(name, "1", "auditor.verdict", "BLOCK")
    watch(source, ledger)
    assert decided(ledger, source) == []


@pytest.mark.wide
def test_a_tag_that_was_there_before_the_first_look_counts(server, ledger):
    name = server.model()
    server.register(name, WEIGHTS)
    server.client.set_model_version_tag(name, "1", DECISION, "accept")
    source = watching(server, name)
    for _ in range(2):
        watch(source, ledger)
    assert decided(ledger, source) == [(True, SOMEBODY)]


@pytest.mark.wide
def test_a_version_registered_with_its_tag_is_decided_on_at_once(server, ledger):
    name = server.model()
    source = watching(server, name)
    watch(source, ledger)
    server.client.create_model_version(name, "s3://bucket/model", tags={DECISION: "reject"})
    watch(source, ledger)
    assert decided(ledger, source) == [(False, SOMEBODY)]


@pytest.mark.wide
def test_tags_of_models_that_are_not_watched_say_nothing(server, ledger):
    name, other = server.model(), server.model()
    for model in (name, other):
        server.register(model, WEIGHTS)
        server.client.set_model_version_tag(model, "1", DECISION, "accept")
    source = watching(server, name)
    for _ in range(2):
        watch(source, ledger)
    assert len(ledger.decisions(source.name)) == 1


@pytest.mark.wide
def test_decisions_off_reads_no_tags_and_takes_back_what_they_said(server, ledger):
    name = server.model()
    server.register(name, WEIGHTS)
    server.client.set_model_version_tag(name, "1", DECISION, "accept (by ann)")
    for _ in range(2):
        watch(watching(server, name), ledger)
    deaf = watching(server, name, decisions=False)
    for _ in range(2):
        watch(deaf, ledger)
    assert decided(ledger, deaf) == [(True, "ann"), (None, "ann")]
    assert not any(isinstance(one, Said) for one in deaf.look(name, ledger.known(deaf.name)))
    for _ in range(2):
        watch(watching(server, name), ledger)
    assert decided(ledger, deaf)[-1] == (True, "ann")


@pytest.mark.wide
def test_a_hint_is_followed_by_what_the_tags_of_its_model_say(server, ledger):
    name = server.model()
    server.register(name, WEIGHTS)
    source = watching(server, name)
    watch(source, ledger)
    server.client.set_model_version_tag(name, "1", DECISION, "accept\nuntil 2999-01-01")
    (said,) = (one for one in source.look(name, NOTHING) if isinstance(one, Said))
    assert said.statement is not None
    assert said.statement.until == date(2999, 1, 1)


@pytest.mark.wide
def test_a_renamed_model_keeps_what_was_said(server, ledger):
    name = server.model()
    server.register(name, WEIGHTS)
    server.client.set_model_version_tag(name, "1", DECISION, "accept (by ann)")
    source = Mlflow(server.uri, models=(f"{name}*",), history=None, reconcile=NEVER)
    for _ in range(2):
        watch(source, ledger)
    server.client.rename_registered_model(name, f"{name}-b")
    for _ in range(2):
        watch(source, ledger)
    assert decided(ledger, source) == [(True, "ann")]


@pytest.mark.wide
def test_many_tags_are_asked_for_page_by_page(server):
    name = server.model()
    for number in range(1, 4):
        server.client.create_model_version(name, "s3://bucket/model")
        server.client.set_model_version_tag(name, str(number), DECISION, f"accept: {number}")
    found = Registry(server.uri, "mlflow", (name,)).tagged()
    assert found is not None
    assert sorted(text for _, text in found) == ["accept: 1", "accept: 2", "accept: 3"]
    assert Registry(server.uri, "mlflow", ("*",)).tagged("no-such-model'`\"") == []
