"""The API as a client sees it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from html import unescape

import jsonschema
import pytest

from auditor import schema
from auditor.ledger import Told, Wanted
from auditor.records import Seen, Verdict
from auditor.sources.mlflow import Mlflow
from auditor.web.refusals import HEADERS
from tests.ledger.makers import DAY, HOUR, MINUTE, START, audited, version, versions
from tests.web.houses import Asked, house, models, served

PAST = "/api/v1"


@pytest.fixture
def empty(tmp_path) -> Iterator[Asked]:
    """Two versions of one model, which the ledger has not met."""
    with house(tmp_path, models(tmp_path)) as found, served(found) as running:
        yield running


@pytest.fixture(scope="module")
def full(tmp_path_factory) -> Iterator[Asked]:
    """A ledger with five versions: audited, running, waiting, gone, history."""
    at = tmp_path_factory.mktemp("full")
    with house(at, models(at)) as found:
        ledger = found.ledger
        ledger.note("mlflow", Told(versions(1, 2, 3, 4)), START, history=None)
        ledger.note("mlflow", Told(versions(1, 2, model="old\udc80")), START, history=0)
        ledger.save(version(1), audited(version(1), verdict=Verdict.BLOCK), sinks=[], at=START)
        ledger.claim(START, lease=DAY, owner="me")
        ledger.gone(version(4), "deleted by somebody")
        with served(found) as running:
            yield running


def folder(asked: Asked, number: int) -> str:
    return str(asked.house.sources["folder"].root / "net" / str(number))  # type: ignore[attr-defined]


def names(answer) -> list[str]:
    listed = answer["versions"] if isinstance(answer, dict) else answer
    return [f"{one['model']} {one['version']}" for one in listed]


# --- lists ------------------------------------------------------------------------------------


def test_versions_say_where_they_stand(full):
    found = {
        f"{one['model']} {one['version']}": one
        for one in full.get(f"{PAST}/versions").json()["versions"]
    }
    blocked, running, gone = (found[f"digits {number}"] for number in (1, 2, 4))
    assert (blocked["state"], blocked["settled"]) == ("done", True)
    assert (blocked["verdict"], blocked["exit_code"], blocked["reason"]) == ("BLOCK", 1, "because")
    assert (running["state"], running["settled"], running["verdict"]) == ("running", False, None)
    assert running["since"].startswith("2026-01-05T09:30:00")
    assert (gone["state"], gone["why"]) == ("gone", "deleted by somebody")
    assert all("location" not in one and "owner" not in one for one in found.values())


def test_a_name_that_is_no_text_is_spelled_out(full):
    assert r"old\udc80 1" in names(full.get(f"{PAST}/versions").json())


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state=running", ["digits 2"]),
        ("verdict=BLOCK", ["digits 1"]),
        ("model=digits&limit=2", ["digits 4", "digits 3"]),
        ("source=hub", []),
    ],
)
def test_only_what_is_asked_for_is_listed(full, query, expected):
    assert names(full.get(f"{PAST}/versions?{query}").json()) == expected


def test_pages_lead_to_the_end(full):
    found, query = [], "limit=2"
    while query:
        answer = full.get(f"{PAST}/versions?{query}").json()
        found += names(answer)
        query = f"limit=2&after={answer['next']}" if answer["next"] else ""
    assert found == names(full.get(f"{PAST}/versions?limit=500").json())
    assert len(found) == len(set(found)) == 6


def test_the_queue_and_the_problems_are_lists_of_the_same_kind(full):
    assert names(full.get(f"{PAST}/queue").json())[:2] == ["digits 2", "digits 3"]
    assert names(full.get(f"{PAST}/problems").json()) == ["digits 4"]


@pytest.mark.parametrize(
    "path",
    ["versions?limit=0", "versions?limit=501", "versions?limit=x", "versions?after=0",
     "versions?after=99999999999999999999", "versions?state=lost", "versions?verdict=block",
     "queue?limit=-1", "verdict", "verdict?ref=a&number=1", "verdict?ref=", "verdict?ref=%00",
     "verdict?number=0", "audits/x", "audits/..%2f..%2fetc", "versions?model=" + "x" * 1001],
)  # fmt: skip
def test_what_does_not_fit_is_a_sentence(full, path):
    answer = full.get(f"{PAST}/{path}")
    assert answer.status_code in {404, 422}
    assert list(answer.json()) == ["error"]


# --- one audit --------------------------------------------------------------------------------


def test_a_document_is_the_one_that_was_saved(full):
    [blocked] = full.get(f"{PAST}/versions?verdict=BLOCK").json()["versions"]
    found = full.get(f"{PAST}/audits/{blocked['audit']}").json()
    assert found == full.house.ledger.audit(blocked["audit"])
    jsonschema.validate(found, schema.audit())


def test_its_page_is_html_that_runs_only_its_own_script(full):
    [blocked] = full.get(f"{PAST}/versions?verdict=BLOCK").json()["versions"]
    answer = full.get(blocked["report"])
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in unescape(answer.text.partition("</head>")[0])
    assert "because" in answer.text


def test_an_audit_that_is_not_there_is_404(full):
    for path in (f"{PAST}/audits/{'0' * 16}", f"/reports/{'0' * 16}", f"{PAST}/verdict?number=999"):
        assert full.get(path).status_code == 404


# --- by name, and asking for one --------------------------------------------------------------


def test_a_version_nobody_has_met_is_unknown(empty):
    answer = empty.get(f"{PAST}/verdict", params={"ref": folder(empty, 1)}).json()
    assert (answer["state"], answer["number"], answer["verdict"]) == ("unknown", None, None)
    assert empty.house.ledger.states()["pending"] == 0


def test_asking_for_an_audit_puts_a_version_first(empty):
    empty.house.ledger.note("mlflow", Told(versions(1)), START, history=None)
    answer = empty.post(f"{PAST}/audits", {"ref": folder(empty, 2)})
    assert answer.status_code == 202
    assert (answer.json()["state"], answer.json()["priority"]) == ("pending", "asked")
    assert empty.nudged.is_set()
    assert names(empty.get(f"{PAST}/queue").json()) == ["net 1", "net 2", "digits 1"]


def test_other_versions_of_its_model_are_no_news_afterwards(tmp_path):
    """``history: 1`` holds also where somebody asked for an old version first."""
    source = models(tmp_path, count=3, history=1)
    with house(tmp_path, source) as found, served(found) as running:
        running.post(f"{PAST}/audits", {"ref": folder(running, 1)})
        stands = {
            one.version.id.version: one.state for one in found.ledger.listed(Wanted(), limit=9)
        }
        assert stands == {"1": "pending", "2": "history", "3": "pending"}
        told = Told([change.version for change in source.look("net") if isinstance(change, Seen)])
        assert found.ledger.note("folder", told, START, history=1) == 0


def test_one_that_has_an_audit_is_audited_again_only_where_that_is_said(empty):
    ref = folder(empty, 1)
    of = empty.house.sources["folder"].resolve(ref, None)
    assert of is not None
    empty.house.ledger.save(of, audited(of), sinks=[], at=START)
    first = empty.post(f"{PAST}/audits", {"ref": ref})
    assert (first.status_code, first.json()["verdict"]) == (200, "PASS")
    assert first.json()["state"] == "done"
    assert not empty.nudged.is_set()
    again = empty.post(f"{PAST}/audits", {"ref": ref, "again": True})
    assert (again.status_code, again.json()["state"]) == (202, "pending")
    assert again.json()["verdict"] == "PASS"  # until the new one is there


def test_a_number_is_enough_once_a_version_is_known(empty):
    asked = empty.post(f"{PAST}/audits", {"ref": folder(empty, 1)}).json()
    found = empty.get(f"{PAST}/verdict?number={asked['number']}").json()
    assert found == asked == empty.get(f"{PAST}/verdict", params={"ref": asked["uri"]}).json()


@pytest.mark.parametrize(
    "ref", ["models:/net/1", "/etc", "hf://org/net", "net/3", "..", "previous"]
)
def test_what_no_source_has_is_404_and_says_who_was_asked(empty, ref):
    for answer in (
        empty.get(f"{PAST}/verdict", params={"ref": ref}),
        empty.post(f"{PAST}/audits", {"ref": ref}),
    ):
        assert answer.status_code == 404
        said = f"{ref}: no source has such a version; asked were: folder; name it as models:/"
        assert answer.json()["error"].startswith(said)


@pytest.mark.parametrize(
    "value",
    [[], {}, {"ref": 1}, {"ref": ""}, {"ref": "x" * 1001}, {"ref": "a\nb"}, {"ref": "\ud800"},
     {"ref": "a", "more": 1}, {"ref": "a", "again": "maybe"}, "text", None],
    ids=repr,
)  # fmt: skip
def test_a_wish_of_another_form_is_422(empty, value):
    answer = empty.post(f"{PAST}/audits", "null" if value is None else value)
    assert answer.status_code == 422
    assert list(answer.json()) == ["error"]


def test_a_source_that_does_not_answer_is_a_sentence_and_hides_no_other(tmp_path):
    away = Mlflow(f"sqlite:///{tmp_path}/away.db", name="away")
    with house(tmp_path, away, models(tmp_path)) as found, served(found) as running:
        known = running.get(f"{PAST}/verdict", params={"ref": folder(running, 1)})
        assert known.json()["state"] == "unknown"
        answer = running.get(f"{PAST}/verdict", params={"ref": "models:/net/1"})
        assert answer.status_code == 502
        assert "there is no MLflow database" in answer.json()["error"]


# --- steering ---------------------------------------------------------------------------------


def test_a_source_is_paused_resumed_and_looked_at(empty):
    for what, paused in (("pause", True), ("run", True), ("resume", False)):
        empty.nudged.clear()
        answer = empty.post(f"{PAST}/sources/folder/{what}").json()
        assert (answer["name"], answer["paused"]) == ("folder", paused)
        assert empty.nudged.is_set()
    [state] = empty.house.ledger.sources()
    assert state.asked_at is not None
    assert not state.paused


@pytest.mark.parametrize("name", ["nobody", "folder%00", "..", "%F0%9F%A4%9D"])
def test_a_source_that_is_not_configured_is_404(empty, name):
    for what in ("pause", "run", "resume"):
        assert empty.post(f"{PAST}/sources/{name}/{what}").status_code == 404
    assert empty.house.ledger.sources() == []


def test_quarantined_versions_wait_again(empty):
    ledger, ref = empty.house.ledger, folder(empty, 1)
    empty.post(f"{PAST}/audits", {"ref": ref})
    for again in ({"source": "folder"}, {"ref": ref}, {}):
        claim = ledger.claim(START, lease=HOUR, owner="me")
        ledger.failed(claim.version, "me", "no", START, max_attempts=1, pause=MINUTE)
        assert ledger.states()["quarantined"] == 1
        assert empty.post(f"{PAST}/retry", {"source": "nobody"}).status_code == 404
        assert empty.post(f"{PAST}/retry", {"ref": folder(empty, 2)}).json() == {"retried": 0}
        assert empty.post(f"{PAST}/retry", again).json() == {"retried": 1}
        assert ledger.states()["quarantined"] == 0


def test_the_status_is_that_of_the_command_line(full):
    found = full.get(f"{PAST}/status").json()
    assert found["versions"]["gone"] == 1
    assert found["verdicts"]["BLOCK"] == 1


# --- what goes wrong --------------------------------------------------------------------------


def broken(asked: Asked, statement: str) -> None:
    """Change the database behind the ledger's back."""
    path = asked.house.ledger.engine.url.database
    with closing(sqlite3.connect(str(path))) as database:
        database.execute(statement)
        database.commit()


def test_a_ledger_that_cannot_be_used_is_503_so_that_senders_try_again(empty):
    broken(empty, "DROP TABLE versions")
    for path in ("versions", "queue", "problems", "status"):
        answer = empty.get(f"{PAST}/{path}")
        assert answer.status_code == 503
        assert "nothing was changed" in answer.json()["error"]


def test_a_bug_is_a_sentence_to_the_client_and_a_traceback_to_the_log(tmp_path, caplog):
    with house(tmp_path, models(tmp_path)) as found:
        with served(found) as running:
            running.post(f"{PAST}/audits", {"ref": folder(running, 1)})
            broken(running, "UPDATE versions SET created_at = 'no date'")
            answer = running.get(f"{PAST}/versions")
        assert answer.status_code == 500
        assert answer.json()["error"].startswith("an error in auditor itself")
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "Traceback" in caplog.text  # written after the answer, and before the server's end
