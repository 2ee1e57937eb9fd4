"""A model registry on a real MLflow server: what is new, and what may be fetched."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import GoneError, RefusedError, SourceError
from auditor.file_cache import trim
from auditor.mlflow_client.places import below
from auditor.sources.mlflow import Mlflow
from auditor.weights.windows import Windows
from tests import told
from tests.mlflow_server import Server, free_port, running

HOUR = 3600 * 1000  # ms
WEIGHTS = {"model.safetensors": b"weights"}

pytestmark = pytest.mark.wide  # one line of its server is default


@pytest.fixture(scope="module")
def server() -> Server:
    return running()


@pytest.fixture(scope="module")
def registered(server) -> Any:
    """A version nobody changes."""
    return server.register(server.model(), WEIGHTS)


def source(server: Server, name: str, tmp_path: Path, **given: Any) -> Mlflow:
    return Mlflow(server.uri, models=(name,), cache=tmp_path / "files", **given)


def numbers(found: Mlflow, cursor: str | None = None) -> list[str]:
    return [seen.version.id.version for seen in told.seen(found, cursor)]


def cursor(found: Mlflow) -> str:
    """Of a look that had nothing new to tell."""
    return told.steps(found, told.steps(found)[-1])[-1]


def contents(found: Mlflow, version: Any) -> dict[str, bytes]:
    known = found.resolve(f"models:/{version.name}/{version.version}", None)
    assert known is not None
    read = {}
    for file in found.files(known):
        with file.open() as handle:
            read[file.name] = handle.read()
    return read


def refused(found: Mlflow, version: Any) -> str:
    with pytest.raises(RefusedError) as problem:
        contents(found, version)
    return str(problem.value)


# --- what is new ----------------------------------------------------------------------------


def test_reports_only_versions_made_since_with_an_overlap(server, tmp_path):
    name = server.model()
    old, late, new = (server.register(name, WEIGHTS) for _ in range(3))
    here = source(server, name, tmp_path)
    now = new.creation_timestamp
    server.redate(old, now - HOUR)
    server.redate(late, now - HOUR // 12)  # committed late, dated five minutes back
    assert numbers(here, cursor(here)) == ["2", "3"]


def test_a_version_dated_in_the_future_hides_none_made_until_then(server, tmp_path):
    name = server.model()
    first = server.register(name, WEIGHTS)
    server.redate(first, first.creation_timestamp + 5 * HOUR)
    here = source(server, name, tmp_path)
    before = cursor(here)
    server.register(name, WEIGHTS)
    assert "2" in numbers(here, before)


def test_nothing_written_on_a_version_makes_it_new(server, tmp_path):
    name = server.model()
    old, new = server.register(name, WEIGHTS), server.register(name, WEIGHTS)
    server.redate(old, new.creation_timestamp - HOUR)
    here = source(server, name, tmp_path)
    before = cursor(here)
    server.client.set_model_version_tag(name, "1", "auditor.verdict", "PASS")
    server.client.update_model_version(name, "1", "a description")
    server.client.set_registered_model_alias(name, "champion", "1")
    assert numbers(here, before) == ["2"]


def test_other_patterns_make_everything_new(server, tmp_path):
    name = server.model()
    old, new = server.register(name, WEIGHTS), server.register(name, WEIGHTS)
    server.redate(old, new.creation_timestamp - HOUR)
    before = cursor(source(server, name, tmp_path))
    wider = Mlflow(server.uri, models=(name, "no-such-model"))
    assert numbers(wider, before) == ["1", "2"]


@pytest.mark.parametrize(
    ("patterns", "watched"),
    [
        (("{}",), True),
        (("{}*", "no"), True),
        (("*", "!{}"), False),
        (("!{}",), False),
        (("!no",), True),
        (("no",), False),
    ],
)
def test_patterns_say_which_models_are_watched(server, registered, patterns, watched):
    here = Mlflow(server.uri, models=tuple(one.format(registered.name) for one in patterns))
    assert (registered.name in {seen.version.id.model for seen in told.seen(here)}) == watched


def test_prompts_are_no_models(server):
    name = server.model() + "-prompt"
    server.client.register_prompt(name, "Say {{ this }}")
    assert numbers(Mlflow(server.uri, models=(name,))) == []


def test_facts_name_run_and_logged_model(server, tmp_path):
    name = server.model()
    raw, logged = server.register(name, WEIGHTS), server.log_model(name, WEIGHTS)
    first, second = (seen.version for seen in told.seen(source(server, name, tmp_path)))
    assert first.facts["run_id"] == raw.run_id
    assert second.facts["model_id"] == logged.source.removeprefix("models:/")


# --- references -------------------------------------------------------------------------------


def test_finds_versions_by_alias_and_latest(server, tmp_path):
    name = server.model()
    for _ in range(2):
        server.register(name, WEIGHTS)
    server.client.set_registered_model_alias(name, "champion", "1")
    here = source(server, name, tmp_path)
    first, second = (seen.version for seen in told.seen(here))
    assert here.resolve(f"models:/{name}@champion", None) == first
    assert here.resolve("alias:champion", second) == first
    assert here.resolve("@champion", second) == first
    assert here.resolve(f"models:/{name}/latest", None) == second
    assert here.resolve("latest", first) == second


def test_what_a_run_logged_can_be_looked_at_unregistered(server, tmp_path):
    run_id = server.log(WEIGHTS, "net").info.run_id
    here = source(server, "no", tmp_path)
    found = here.resolve(f"runs:/{run_id}/net", None)
    assert found is not None
    assert [file.name for file in here.files(found)] == ["model.safetensors"]
    assert here.resolve("previous", found) is None
    assert here.resolve("runs:/" + "0" * 32 + "/net", None) is None


# --- files ------------------------------------------------------------------------------------


def test_reads_a_logged_model_and_a_copy_of_it(server, tmp_path):
    name, copied_to = server.model(), server.model()
    logged = server.log_model(name, WEIGHTS)
    copy = server.client.copy_model_version(f"models:/{name}/{logged.version}", copied_to)
    again = server.client.copy_model_version(f"models:/{copied_to}/{copy.version}", server.model())
    here = source(server, name, tmp_path)
    for version in (logged, copy, again):
        assert contents(here, version) == WEIGHTS


def test_a_source_that_is_one_file_is_a_version_of_one_file(server, tmp_path):
    name = server.model()
    version = server.register(name, {"a.safetensors": b"a", "b.safetensors": b"bb"})
    server.change(version, "source", f"{version.source}/b.safetensors")
    server.change(version, "storage_location", f"{version.source}/b.safetensors")
    assert contents(source(server, name, tmp_path), version) == {"b.safetensors": b"bb"}


def test_a_version_registered_before_its_upload_is_looked_at_again(server, tmp_path):
    name = server.model()
    run = server.client.create_run("0")
    uri = f"runs:/{run.info.run_id}/weights"
    version = server.client.create_model_version(name, uri, run.info.run_id)
    with pytest.raises(SourceError, match=r"lists no files.*may still be uploading"):
        contents(source(server, name, tmp_path), version)


def test_a_name_used_again_is_not_taken_for_the_deleted_version(server, tmp_path):
    name = server.model()
    server.register(name, WEIGHTS)
    here = source(server, name, tmp_path)
    (old,) = (seen.version for seen in told.seen(here))
    server.client.delete_registered_model(name)
    server.client.create_registered_model(name)
    server.register(name, WEIGHTS)
    with pytest.raises(GoneError, match="its name was used again"):
        here.files(old)


def stored(server: Server, version: Any) -> Path:
    (found,) = server.artifacts.glob(f"**/{version.run_id}/**/model.safetensors")
    return found


def test_a_fetched_file_is_not_fetched_again(server, tmp_path):
    version = server.register(server.model(), WEIGHTS)
    here = source(server, version.name, tmp_path)
    (seen,) = told.seen(here)
    (file,) = here.files(seen.version)
    file.open().close()
    stored(server, version).unlink()
    with file.open() as handle:
        assert handle.read() == b"weights"


def test_a_cut_file_is_refused_and_not_kept(server, tmp_path):
    version = server.register(server.model(), WEIGHTS)
    here = source(server, version.name, tmp_path)
    (seen,) = told.seen(here)
    (file,) = here.files(seen.version)
    stored(server, version).write_bytes(b"wei")
    with pytest.raises(SourceError, match="has 3 bytes but 7 were listed"):
        file.open()
    assert not [path for path in (tmp_path / "files").rglob("*") if path.is_file()]
    stored(server, version).write_bytes(b"weights")
    with file.open() as handle:
        assert handle.read() == b"weights"


def test_a_vanished_file_is_a_source_error(server, tmp_path):
    version = server.register(server.model(), WEIGHTS)
    here = source(server, version.name, tmp_path)
    (seen,) = told.seen(here)
    (file,) = here.files(seen.version)
    stored(server, version).unlink()
    with pytest.raises(SourceError, match=r"failed while fetching model\.safetensors"):
        file.open()


def test_the_file_not_wanted_for_longest_is_removed_first(server, tmp_path):
    version = server.register(server.model(), {f"{n}.bin": b"x" * 100 for n in range(3)})
    here = source(server, version.name, tmp_path)
    (seen,) = told.seen(here)
    files = here.files(seen.version)
    for number in (0, 1, 2, 0):
        files[number].open().close()
    for path in server.artifacts.glob(f"**/{version.run_id}/**/*.bin"):
        path.unlink()  # from now on only what is kept can be opened
    assert trim(here.cache, 250) == 100
    files[0].open().close()
    files[2].open().close()
    with pytest.raises(SourceError):
        files[1].open()
    assert trim(here.cache, 0) == 200


# --- parts of a file ------------------------------------------------------------------------

LARGE = bytes(range(256)) * 1000


def one_file(server, name):
    run = server.log({"model.safetensors": LARGE})
    source = f"runs:/{run.info.run_id}/weights/model.safetensors"
    return server.client.create_model_version(name, source, run.info.run_id)


@pytest.mark.parametrize(
    "make",
    [
        lambda server, name: server.register(name, {"model.safetensors": LARGE}),
        lambda server, name: server.log_model(name, {"model.safetensors": LARGE}),
        one_file,
    ],
    ids=["runs", "logged model", "one file"],
)
def test_parts_of_a_file_come_by_ranges_of_the_servers_own_proxy(server, tmp_path, make):
    name = server.model()
    make(server, name)
    here = source(server, name, tmp_path)
    (seen,) = told.seen(here)
    (file,) = here.files(seen.version)
    assert file.ranges is not None
    with file.ranges() as handle:
        for at in (0, len(LARGE) - 22, 100_000):
            handle.seek(at)
            assert handle.read(22) == LARGE[at : at + 22]
        assert isinstance(handle, Windows)
        assert handle.counted < len(LARGE) // 4
    assert not list(here.cache.rglob("*"))
    file.open().close()
    (kept,) = here.files(seen.version)
    assert kept.ranges is None  # it lies on this machine now


def test_a_name_with_signs_of_addresses_is_a_name(server, tmp_path):
    name = server.model()
    server.register(name, {"a b#1?x=%41.bin": LARGE})
    here = source(server, name, tmp_path)
    (seen,) = told.seen(here)
    (file,) = here.files(seen.version)
    assert file.ranges is not None
    with file.ranges() as handle:
        assert handle.read(300) == LARGE[:300]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda path: path.unlink(), "answered 404"),
        (lambda path: path.write_bytes(LARGE + b"x"), "answered 206 with 'bytes 0-16383/256001'"),
        (lambda path: path.write_bytes(b""), "answered 416|answered 200|ignores ranges"),
    ],
    ids=["vanished", "longer", "empty"],
)
def test_a_file_that_changed_is_not_read_in_parts(server, tmp_path, change, said):
    version = server.register(server.model(), {"model.safetensors": LARGE})
    with_password = server.uri.replace("://", "://me:secret@")
    here = Mlflow(with_password, models=(version.name,), cache=tmp_path / "files")
    (seen,) = told.seen(here)
    (file,) = here.files(seen.version)
    change(stored(server, version))
    assert file.ranges is not None
    with file.ranges() as handle, pytest.raises(SourceError, match=said) as problem:
        handle.read(1)
    assert "secret" not in str(problem.value)


# --- what may be fetched ------------------------------------------------------------------------


def pointed(server: Server, location: str) -> Any:
    """A version whose files are said to lie at `location`."""
    version = server.register(server.model(), WEIGHTS)
    server.change(version, "source", location)
    server.change(version, "storage_location", location)
    return version


@pytest.mark.parametrize(
    "location", ["s3://bucket/model", "hf://org/model", "http://evil.example/x", "/etc"]
)
def test_a_foreign_place_is_refused_with_the_line_that_would_allow_it(server, tmp_path, location):
    version = pointed(server, location)
    text = refused(source(server, version.name, tmp_path), version)
    assert f'allow: ["{location}"]' in text


def test_no_other_host_gets_requests_that_carry_our_credentials(server, tmp_path):
    version = pointed(server, "mlflow-artifacts://evil.example:8080/0/run/artifacts")
    refused(source(server, version.name, tmp_path), version)


def test_a_run_elsewhere_does_not_lead_to_another_host(server, tmp_path):
    version = server.register(server.model(), WEIGHTS)
    server.execute(
        "UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?",
        "mlflow-artifacts://evil.example/artifacts",
        version.run_id,
    )
    refused(source(server, version.name, tmp_path), version)


def test_a_copy_of_a_refused_version_is_refused(server, tmp_path):
    version = pointed(server, "s3://bucket/model")
    uri = f"models:/{version.name}/{version.version}"
    copy = server.client.copy_model_version(uri, server.model())
    assert "s3://bucket/model" in refused(source(server, copy.name, tmp_path), copy)


def test_the_servers_own_artifact_proxy_is_allowed(server, tmp_path):
    run = server.log(WEIGHTS)
    version = pointed(server, f"{run.info.artifact_uri}/weights")
    assert contents(source(server, version.name, tmp_path), version) == WEIGHTS


def test_an_allowed_place_is_read(server, tmp_path):
    (tmp_path / "models" / "a").mkdir(parents=True)
    (tmp_path / "models" / "a" / "model.safetensors").write_bytes(b"weights")
    version = pointed(server, f"{tmp_path}/models/a")
    allowed = source(server, version.name, tmp_path, allow=(f"{tmp_path}/models",))
    assert contents(allowed, version) == WEIGHTS
    (seen,) = told.seen(allowed)
    (file,) = allowed.files(seen.version)
    assert file.ranges is None  # it lies on this machine: nothing is to be fetched


@pytest.mark.parametrize("step", ["..", "%2e%2e"])
def test_steps_out_of_an_allowed_place_are_refused(server, tmp_path, step):
    version = pointed(server, f"file://{tmp_path}/models/{step}/secret")
    here = source(server, version.name, tmp_path, allow=(f"{tmp_path}/models",))
    assert "steps out" in refused(here, version)


def test_below_its_experiments_own_root_is_allowed(server, tmp_path):
    name = server.model()
    root = tmp_path / "shared"
    (root / "m").mkdir(parents=True)
    (root / "m" / "model.safetensors").write_bytes(b"weights")
    experiment = server.client.create_experiment(name, artifact_location=f"file://{root}")
    run = server.client.create_run(experiment)
    version = pointed(server, f"file://{root}/m")
    server.change(version, "run_id", run.info.run_id)
    assert contents(source(server, version.name, tmp_path), version) == WEIGHTS


@pytest.mark.parametrize(
    ("location", "root", "expected"),
    [
        ("s3://b/models/1", "s3://b/models/", True),
        ("s3://b/models-2/1", "s3://b/models", False),
        ("s3://other/models/1", "s3://b/models", False),
        ("gs://b/models/1", "s3://b/models", False),
        ("s3://any/thing", "s3://", True),
        ("/data/x", "file:///data", True),
        ("s3://b@evil/models", "s3://b", False),
    ],
)
def test_places_are_compared_step_by_step(location, root, expected):
    assert below(location, root) is expected


# --- failure --------------------------------------------------------------------------------------


def test_no_password_appears_in_an_error():
    uri = f"http://auditor:s3cret@127.0.0.1:{free_port()}"
    with pytest.raises(SourceError) as problem:
        numbers(Mlflow(uri))
    assert "did not answer" in str(problem.value)
    assert "s3cret" not in str(problem.value)


def test_a_database_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(SourceError, match="there is no MLflow database"):
        numbers(Mlflow(f"sqlite:///{tmp_path}/deep/mlflow.db"))
    assert not list(tmp_path.iterdir())


@pytest.mark.wide
def test_a_database_and_a_dead_server_are_read_without_a_word_on_the_terminal(
    server, registered, tmp_path
):
    script = f"""
from auditor.errors import SourceError
from auditor.records import Seen
from auditor.sources.mlflow import Mlflow
found = Mlflow("sqlite:///{server.folder}/mlflow.db", models=({registered.name!r},))
print([str(seen.version.id) for seen in list(found.changes(None)) if isinstance(seen, Seen)])
try:
    list(Mlflow("http://127.0.0.1:{free_port()}").changes(None))
except SourceError as error:
    print("SourceError")
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)  # noqa: S603
    assert done.stdout.splitlines() == [f"['mlflow:{registered.name}@1']", "SourceError"]
    assert done.stderr == ""
    assert not list(tmp_path.iterdir())
