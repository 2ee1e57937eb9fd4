"""Versions side by side: in order within a model, the urgent ones first, whatever goes wrong."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from auditor.errors import LedgerError, StoppedError
from auditor.ledger import Told
from auditor.pipeline import App, Crew, once
from auditor.pipeline.crew import drain
from auditor.records import Priority
from auditor.service.workers import Workers
from auditor.wall.process import here
from tests.models import weights, write
from tests.service.world import Place, app, until, version


class Measuring:
    """Does what is asked in this process, and notes who is at work at one time."""

    def __init__(self, together: int = 1):
        self.barrier = threading.Barrier(together)
        self.inside: set[str] = set()
        self.most = 0
        self.order: list[str] = []
        self._lock = threading.Lock()

    def __call__(self, job, desk):
        with self._lock:
            self.order.append(job.where)
            self.inside.add(job.where)
            self.most = max(self.most, len(self.inside))
        try:
            if self.barrier.parties > 1:
                self.barrier.wait(60.0)
            return here(job, desk)
        finally:
            with self._lock:
                self.inside.remove(job.where)


def measured(found: App, execute: Measuring, audits: int) -> App:
    return replace(found, examiner=replace(found.examiner, execute=execute), audits=audits)


def settled(found: App, count: int) -> bool:
    return found.ledger.states()["done"] == count


def number(where: str) -> tuple[str, int]:
    *_, model, version_ = where.split("/")
    return model, int(version_)


@pytest.mark.wide
def test_models_side_by_side_and_the_versions_of_each_in_order(tmp_path):
    for model in ("a", "b", "c", "d"):
        for one in (1, 2, 3):
            write(tmp_path / f"models/{model}/{one}", weights(ord(model) + one), day=one)
    with app(tmp_path) as found:
        execute = Measuring(together=4)
        outcome = once(measured(found, execute, 4))
    assert execute.most == 4
    for model in ("a", "b", "c", "d"):
        assert [n for m, n in map(number, execute.order) if m == model] == [1, 2, 3]
    printed = [(one["model"]["version"], one["model"]["name"]) for one in outcome.audited]
    assert printed == [(str(n), model) for n in (1, 2, 3) for model in "abcd"]
    assert all(one["comparison"]["baseline"]["version"] == "1" for one in outcome.audited[4:8])


def test_one_at_a_time_and_four_at_a_time_come_to_the_same(tmp_path):
    documents = []
    for audits in (1, 4):
        root = tmp_path / str(audits)
        for model in ("a", "b", "c", "d"):
            write(root / f"models/{model}/1", weights(1), day=1)
        with app(root) as found:
            outcome = once(measured(found, Measuring(), audits))
        documents.append([without_places(one) for one in outcome.audited])
    assert documents[0] == documents[1]


def without_places(document):
    return {key: document[key] for key in ("verdict", "reason", "layers", "findings", "counts")}


def test_what_somebody_asked_for_goes_first_then_registrations_then_older_ones(tmp_path):
    places = [version("old", 1), version("new", 2), version("asked", 3)]
    with app(tmp_path, Place("place")) as found:
        ledger, at = found.ledger, found.clock()
        ledger.note("place", Told(places[1:2]), at, history=None, priority=Priority.REGISTRATION)
        ledger.note("place", Told(places[:1]), at, history=None, priority=Priority.BACKFILL)
        ledger.note("place", Told(places[2:]), at, history=None, priority=Priority.NIGHTLY)
        ledger.ask(places[2])
        crew = Crew(found)
        taken = [crew.take() for _ in range(3)]
    assert [one.version.id.model for one in taken if one] == ["asked", "new", "old"]


def test_an_interrupted_run_gives_back_what_is_in_work(tmp_path):
    for model in ("a", "b"):
        write(tmp_path / f"models/{model}/1", weights(1), day=1)

    def held(job, desk):
        if job.where.endswith("a/1"):
            return here(job, desk)
        assert found.stop.wait(60.0)
        raise StoppedError("told to end")

    with app(tmp_path) as plain:
        found = measured(plain, held, 2)  # type: ignore[arg-type]
        for name in found.sources:
            seen = [one for one in found.sources[name].changes(None) if hasattr(one, "version")]
            found.ledger.note(
                name, Told([one.version for one in seen]), found.clock(), history=None
            )
        outcomes = drain(found)
        assert [one["model"]["name"] for one in next(outcomes).audited] == ["a"]
        outcomes.close()
        assert found.ledger.states() | {"pending": 1, "done": 1} == found.ledger.states()
        assert found.ledger.problems() == []


def test_a_service_audits_what_comes_when_it_comes(tmp_path):
    write(tmp_path / "models/net/1", weights(1), day=1)
    with app(tmp_path) as plain:
        found = measured(plain, Measuring(), 2)
        crew = Crew(found)
        with Workers(crew):
            (source,) = found.sources.values()
            versions = [one.version for one in source.changes(None) if hasattr(one, "version")]
            found.ledger.note(source.name, Told(versions), found.clock(), history=None)
            crew.bell.ring()
            until(lambda: settled(found, 1), "the audit")
        assert crew.is_idle()


def test_what_the_ledger_could_not_be_told_is_given_back_when_it_can(tmp_path):
    with app(tmp_path, Place("place")) as found:
        found.ledger.note("place", Told([version("net", 1)]), found.clock(), history=None)
        crew = Crew(found)
        working = crew.take()
        assert working is not None
        crew.recover()
        assert crew.take() is None  # somebody here is at work on it
        crew.running.clear()
        crew.recover()
        assert found.ledger.states()["pending"] == 1
        again = crew.take()
        assert again is not None
        assert (again.attempts, again.lost) == (0, 0)


class Trouble:
    """A clock that raises so many times before it tells the time."""

    def __init__(self, clock, error, times):
        self.clock, self.error, self.times = clock, error, times

    def __call__(self):
        if self.times:
            self.times -= 1
            raise self.error
        return self.clock()


@pytest.mark.parametrize(
    ("error", "crashes"), [(LedgerError("locked"), 0), (KeyError("bug"), 1)], ids=["ledger", "bug"]
)
def test_a_worker_goes_on_after_trouble(tmp_path, error, crashes):
    write(tmp_path / "models/net/1", weights(1), day=1)
    with app(tmp_path) as plain:
        (source,) = plain.sources.values()
        versions = [one.version for one in source.changes(None) if hasattr(one, "version")]
        plain.ledger.note(source.name, Told(versions), plain.clock(), history=None)
        found = replace(plain, clock=Trouble(plain.clock, error, 1))
        workers = Workers(Crew(found))
        with workers:
            until(lambda: settled(plain, 1), "the audit")
    assert workers.crashes == crashes


def test_a_version_that_waits_is_taken_when_its_pause_is_over(tmp_path):
    with app(tmp_path, Place("place")) as found:
        found.ledger.note("place", Told([version("net", 1)]), found.clock(), history=None)
        crew = Crew(found)
        workers = Workers(crew)
        assert workers._pause() == 5.0
        claimed = crew.take()
        assert claimed is not None
        soon = timedelta(seconds=2)
        found.ledger.failed(
            claimed.version, found.owner, "later", found.clock(), max_attempts=3, pause=soon
        )
        assert 0.1 <= workers._pause() <= 2.0
