"""What becomes of versions over months: new, late, gone, renamed; nothing missed or twice."""

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import SourceError
from auditor.ledger import Ledger
from auditor.records import NOTHING, Gone, Reached, Renamed, Seen
from auditor.sources.mlflow import Mlflow
from tests import told
from tests.mlflow_server import Server, running, serve
from tests.watching import news, noted, watch

pytestmark = pytest.mark.wide  # a server that is asked hundreds of times

HOUR = 3600 * 1000  # ms
WEIGHTS = {"model.safetensors": b"weights"}
NEVER = 10.0**9  # seconds until everything is looked at


@pytest.fixture(scope="module")
def server() -> Server:
    return running()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    found = Ledger.open(f"sqlite:///{tmp_path}/auditor.db")
    yield found
    found.close()


def watching(server: Server, prefix: str, reconcile: float = NEVER) -> Mlflow:
    return Mlflow(server.uri, models=(f"{prefix}*",), history=None, reconcile=reconcile)


def there(server: Server, prefix: str) -> set[tuple[str, str, int]]:
    """What the server itself says there is."""
    found = server.client.search_model_versions(f"name LIKE '{prefix}%'")
    return {(one.name, str(one.version), one.creation_timestamp) for one in found}


def known(source: Mlflow, ledger: Ledger) -> set[tuple[str, str, int]]:
    return {
        (one.id.model, one.id.version, round(one.created_at.timestamp() * 1000))
        for one in noted(source, ledger)
    }


# --- gone -------------------------------------------------------------------------------------


def test_a_deleted_version_is_told_once_at_the_next_look(server, ledger):
    name = server.model()
    for _ in range(2):
        server.register(name, WEIGHTS)
    source = watching(server, name)
    watch(source, ledger)
    first, second = noted(source, ledger)
    server.client.delete_model_version(name, "1")
    assert news(source, ledger) == [Gone(first, f"models:/{name}/1 was deleted from the registry")]
    assert noted(source, ledger) == [second]
    assert news(source, ledger) == []


def test_a_deleted_model_is_found_when_everything_is_looked_at(server, ledger):
    name = server.model()
    server.register(name, WEIGHTS)
    source = watching(server, name)
    watch(source, ledger)
    (version,) = noted(source, ledger)
    server.client.delete_registered_model(name)
    assert news(source, ledger) == []
    gone = Gone(version, f"models:/{name}/1 was deleted from the registry")
    assert news(watching(server, name, reconcile=0), ledger) == [gone]
    assert news(watching(server, name, reconcile=0), ledger) == []


def test_a_name_used_again_is_another_model(server, ledger):
    name = server.model()
    server.register(name, WEIGHTS)
    source = watching(server, name)
    watch(source, ledger)
    (old,) = noted(source, ledger)
    server.client.delete_registered_model(name)
    server.client.create_registered_model(name)
    new = server.register(name, WEIGHTS)
    changes, waits = watch(source, ledger)
    (gone,) = (one for one in changes if isinstance(one, Gone))
    assert gone.version == old
    assert gone.reason.endswith("and its name was used again since")
    assert waits == 1
    assert known(source, ledger) == {(name, "1", new.creation_timestamp)}


def test_what_the_patterns_leave_out_now_is_not_gone(server, ledger):
    one, other = server.model(), server.model()
    for name in (one, other):
        server.register(name, WEIGHTS)
    both = Mlflow(server.uri, models=(one, other), history=None)
    watch(both, ledger)
    before = noted(both, ledger)
    assert news(Mlflow(server.uri, models=(one,), history=None, reconcile=0), ledger) == []
    assert noted(both, ledger) == before


# --- renamed ----------------------------------------------------------------------------------


def test_a_renamed_model_keeps_its_versions(server, ledger):
    name = server.model()
    for _ in range(2):
        server.register(name, WEIGHTS)
    source = watching(server, name)
    watch(source, ledger)
    before = noted(source, ledger)
    server.client.rename_registered_model(name, f"{name}-new")
    changes, waits = watch(source, ledger)
    renamed = [one for one in changes if isinstance(one, Renamed)]
    assert [one.before for one in renamed] == before
    assert [one.after.id.model for one in renamed] == 2 * [f"{name}-new"]
    assert not [one for one in changes if isinstance(one, Gone)]
    assert waits == 0
    assert known(source, ledger) == there(server, name)
    assert news(watching(server, name, reconcile=0), ledger) == []


def test_a_rename_is_found_when_everything_is_looked_at_too(server, ledger):
    name = server.model()
    server.register(name, WEIGHTS)
    source = watching(server, name)
    watch(source, ledger)
    server.client.rename_registered_model(name, f"{name}-new")
    everything = Mlflow(server.uri, models=(f"{name}*", "no"), history=None)  # a cursor anew
    (renamed,) = news(everything, ledger)
    assert isinstance(renamed, Renamed)
    assert renamed.after.uri == f"models:/{name}-new/1"


def test_a_renamed_model_whose_old_name_is_used_again(server, ledger):
    name = server.model()
    server.register(name, WEIGHTS)
    source = watching(server, name)
    watch(source, ledger)
    server.client.rename_registered_model(name, f"{name}-new")
    server.client.create_registered_model(name)
    server.register(name, WEIGHTS)
    changes, waits = watch(source, ledger)
    (renamed,) = (one for one in changes if isinstance(one, Renamed | Gone))
    assert isinstance(renamed, Renamed)
    assert (renamed.before.id.model, renamed.after.id.model) == (name, f"{name}-new")
    assert waits == 1
    assert known(source, ledger) == there(server, name)


def test_a_model_renamed_to_a_name_that_is_not_watched_is_gone(server, ledger):
    name = server.model()
    server.register(name, WEIGHTS)
    source = Mlflow(server.uri, models=(name,), reconcile=0)
    watch(source, ledger)
    (version,) = noted(source, ledger)
    server.client.rename_registered_model(name, f"renamed-{name}")
    (gone,) = news(source, ledger)
    assert isinstance(gone, Gone)
    assert gone.version == version


def test_a_copy_is_a_version_of_its_own(server, ledger):
    name = server.model()
    server.register(name, WEIGHTS)
    source = watching(server, name)
    watch(source, ledger)
    server.client.copy_model_version(f"models:/{name}/1", f"{name}-copy")
    changes, waits = watch(source, ledger)
    assert waits == 1
    assert not [one for one in changes if isinstance(one, Renamed | Gone)]


# --- late, early, many ------------------------------------------------------------------------


def test_a_version_that_is_dated_back_is_found_by_its_models_last_change(server, ledger):
    name = server.model()
    server.register(name, WEIGHTS)
    source = watching(server, name)
    watch(source, ledger)
    watch(source, ledger)
    late = server.register(name, WEIGHTS)
    server.redate(late, late.creation_timestamp - 5 * HOUR)
    assert watch(source, ledger)[1] == 1
    assert known(source, ledger) == there(server, name)


def test_versions_registered_at_once_are_all_told_once(server, ledger):
    name = server.model()
    source = watching(server, name)
    watch(source, ledger)
    over = threading.Event()

    def register(number: int) -> None:
        own = f"{name}-{number}"
        server.client.create_registered_model(own)
        for _ in range(3):
            server.client.create_model_version(own, "s3://bucket/model")

    threads = [threading.Thread(target=register, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    waits = 0
    while not over.is_set():
        if not any(thread.is_alive() for thread in threads):
            over.set()  # one more look after the last of them
        waits += watch(source, ledger)[1]
    assert waits == 18
    assert known(source, ledger) == there(server, name)


def test_a_quiet_registry_is_asked_three_questions(server):
    name = server.model()
    server.register(name, WEIGHTS)
    source = watching(server, name)
    before = told.quiet(told.steps(source, told.steps(source)[-1])[-1])
    asked = server.requests()
    assert len(told.seen(source, before)) <= 1  # the newest of all may be told again
    assert server.requests() - asked == 3


def test_a_hint_is_followed_by_a_look_at_one_model(server, ledger):
    name = server.model()
    server.register(name, WEIGHTS)
    source = watching(server, name)
    (seen,) = source.look(name, NOTHING)
    assert isinstance(seen, Seen)
    watch(source, ledger)
    server.client.delete_model_version(name, "1")
    (gone,) = source.look(name, ledger.known(source.name))
    assert isinstance(gone, Gone)


@pytest.mark.parametrize(
    "model",
    [
        "not-watched",
        "",
        "a/b",
        "a:b",
        "'",
        "\"'",
        "x') OR name IN ('",
        "x\nAND",
        "\\",
        "\0",
        "é%_" * 80,
    ],
)
def test_a_hint_may_say_anything(server, model):
    name = server.model()
    server.register(name, WEIGHTS)
    assert list(Mlflow(server.uri, models=("*", "!model-*")).look(model)) == []


@pytest.mark.parametrize(
    "name", ["it's", 'say "x"', "both ' and \"", "ünï", "a,b", "100%", "back\\slash"]
)
def test_names_with_signs_of_a_query_are_names(server, ledger, name):
    server.client.create_registered_model(name)
    server.register(name, WEIGHTS)
    source = Mlflow(server.uri, models=(name,), history=None)
    assert watch(source, ledger)[1] == 1
    server.client.delete_model_version(name, "1")
    (gone,) = news(source, ledger)
    assert isinstance(gone, Gone)


@pytest.mark.wide
@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_the_ledger_knows_what_is_there(server, ledger, seed):
    """Random changes with looks in between; nothing waits twice, however often it is renamed."""
    chance, prefix = random.Random(seed), f"{server.model()}-"  # noqa: S311 - a seed, no secret
    names: list[str] = []
    ever: set[tuple[str, int, str]] = set()
    waits = 0
    for step in range(60):
        before = list(names)
        _change(server, chance, names, f"{prefix}{step}", ever)
        assert names or not before
        if chance.random() < 0.4:
            waits += watch(watching(server, prefix, chance.choice([0, NEVER])), ledger)[1]
    waits += watch(watching(server, prefix, reconcile=0), ledger)[1]
    assert known(watching(server, prefix), ledger) == there(server, prefix)
    assert waits <= len(ever)  # some were gone before the next look


def _change(
    server: Server,
    chance: random.Random,
    names: list[str],
    fresh: str,
    ever: set[tuple[str, int, str]],
) -> None:
    client: Any = server.client
    what = chance.choice(["add", "add", "add", "version", "rename", "model"])
    if what == "rename" and names:
        name = chance.choice(names)
        client.rename_registered_model(name, fresh)
        names[names.index(name)] = fresh
    elif what == "model" and len(names) > 1:
        name = chance.choice(names)
        client.delete_registered_model(name)
        if chance.random() < 0.5:
            client.create_registered_model(name)
        else:
            names.remove(name)
    elif what == "version" and names:
        found = client.search_model_versions(f"name = '{chance.choice(names)}'")
        if found:
            one = chance.choice(list(found))
            client.delete_model_version(one.name, one.version)
    else:
        if not names or chance.random() < 0.3:
            client.create_registered_model(fresh)
            names.append(fresh)
        made = client.create_model_version(chance.choice(names), f"s3://bucket/{fresh}")
        ever.add((str(made.version), made.creation_timestamp, made.source))


# --- a large registry -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """1,500 models of three versions, the last made an hour ago."""
    folder = tmp_path_factory.mktemp("large")
    with serve(folder) as server:
        server.client.create_registered_model("first")  # the tables are there now
        newest = time.time_ns() // 1_000_000 - HOUR
        server.fill(1500, 3, newest=newest, apart=20_000, prefix="model-")
        yield server


@pytest.mark.wide
def test_a_first_look_that_is_cut_short_goes_on_where_it_was(large):
    source = Mlflow(large.uri, history=None)
    pages: list[list[str]] = [[]]
    for change in source.changes(None):
        if isinstance(change, Seen):
            pages[-1].append(str(change.version.id))
        if isinstance(change, Reached):
            pages.append([])
            cursor = change.cursor
            if len(pages) == 2:  # the process dies here
                break
    for change in source.changes(cursor):
        if isinstance(change, Seen):
            pages[-1].append(str(change.version.id))
    models = [{one.partition("@")[0] for one in page} for page in pages]
    assert len(pages[0]) < 4500
    assert len({one for page in pages for one in page}) == 4500
    assert len(models[0] & models[1]) <= 1  # one model may come twice, whole
    assert len(pages[0]) == 3 * len(models[0])  # with all their versions: `history` counts them


@pytest.mark.wide
def test_a_large_registry_that_is_quiet_is_asked_three_questions(large):
    source = Mlflow(large.uri)
    before = told.steps(source)[-1]
    before = told.steps(source, before)[-1]
    asked = large.requests()
    (cursor,) = told.steps(source, before)
    assert large.requests() - asked == 3
    assert len(cursor) < 2000


@pytest.mark.wide
def test_half_of_a_registry_deleted_is_found_in_one_look(large, tmp_path):
    ledger = Ledger.open(f"sqlite:///{tmp_path}/auditor.db")
    source = Mlflow(large.uri, history=0, reconcile=0)
    watch(source, ledger)
    large.execute("DELETE FROM model_versions WHERE name >= 'model-01000'")
    large.execute("DELETE FROM registered_models WHERE name >= 'model-01000'")
    told_gone = news(source, ledger)
    assert len(told_gone) == 1500
    assert all(isinstance(one, Gone) for one in told_gone)
    assert len(noted(source, ledger)) == 3000
    ledger.close()


def test_an_address_that_is_no_mlflow_is_a_source_error(tmp_path):
    with pytest.raises(SourceError, match="there is no MLflow database"):
        list(Mlflow(f"sqlite:///{tmp_path}/none.db").changes(None))
