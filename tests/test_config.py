import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from ruamel.yaml import YAML

from auditor import config
from auditor.config.units import duration, size
from auditor.errors import ConfigError

LEAST = "sources:\n  - {kind: folder, root: models}\n"
SHIPPED = Path(__file__).parents[1] / "config.yaml"


@pytest.fixture
def write(tmp_path):
    def file(text: str, name: str = "config.yaml") -> Path:
        path = Path(tmp_path, name)
        path.write_text(text, encoding="utf-8")
        return path

    return file


def refusal(path: Path, environ: dict[str, str] | None = None) -> list[str]:
    """The lines of the refusal, with the file's name alone instead of its whole path."""
    with pytest.raises(ConfigError) as caught:
        config.load(path, environ or {})
    return str(caught.value).replace(f"{path.parent}/", "").splitlines()


def parts_of(made: config.Config) -> Any:
    return config.parts(made)  # whose fields differ by kind


# --- what a file means --------------------------------------------------------------------


def test_a_file_that_says_only_what_to_watch_is_enough(write):
    path = write(LEAST)
    found = config.load(path, {})
    assert found.policy == "observe"
    assert found.baseline == ("alias:champion", "previous")
    assert [(one.kind, one.settings) for one in found.sources] == [("folder", {"root": "models"})]
    assert [one.kind for one in found.sinks] == ["files"]
    assert found.limits == config.Limits()
    assert found.limits.memory == 8 * 2**30
    assert found.limits.disk == 50 * 2**30


def test_relative_paths_start_from_the_folder_of_the_file(write, tmp_path, monkeypatch):
    path = write(LEAST + "reports: out/html\n")
    monkeypatch.chdir("/")
    found = config.load(path, {})
    assert found.reports == tmp_path / "out" / "html"
    assert found.data == tmp_path / ".auditor"
    assert found.ledger == f"sqlite:///{tmp_path}/auditor.db"
    assert parts_of(found).sources[0].root == tmp_path / "models"


def test_a_file_given_by_a_relative_path_has_absolute_paths_in_it(write, tmp_path, monkeypatch):
    write(LEAST)
    monkeypatch.chdir(tmp_path)
    assert config.load(Path("config.yaml"), {}).reports == tmp_path / "reports"


@pytest.mark.parametrize(
    "ledger",
    ["sqlite:////var/lib/auditor.db", "postgresql+psycopg://host/db", "sqlite:///:memory:"],
)
def test_a_ledger_that_is_not_a_relative_file_stays_as_it_is(write, ledger):
    assert config.load(write(f"{LEAST}ledger: '{ledger}'\n"), {}).ledger == ledger


def test_absolute_and_home_paths_are_kept(write, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    found = config.load(write(LEAST + "reports: /srv/reports\ndata: ~/cache\n"), {})
    assert found.reports == Path("/srv/reports")
    assert found.data == Path("/home/ada/cache")


def test_every_watched_mlflow_registry_gets_its_own_results_unless_sinks_are_given(write):
    text = "sources:\n  - {kind: mlflow, uri: 'http://a', name: team}\n  - {kind: mlflow, uri: b}\n"
    found = config.load(write(text), {}).sinks
    assert [(one.kind, one.settings) for one in found] == [
        ("files", {}),
        ("mlflow", {"uri": "http://a", "name": "team"}),
        ("mlflow", {"uri": "b"}),
    ]
    found = config.load(write(text + "sinks: [{kind: files}]\n"), {}).sinks
    assert [one.kind for one in found] == ["files"]


def test_limits_are_numbers_once_loaded(write):
    text = "limits: {wall: 1h30m, memory: 512MiB, disk: 2GB, device: cpu, workers: 3}\n"
    limits = config.load(write(LEAST + text), {}).limits
    assert limits.wall == timedelta(minutes=90)
    assert (limits.memory, limits.disk) == (512 * 2**20, 2 * 10**9)
    assert (limits.device, limits.workers) == ("cpu", 3)


def test_nothing_can_be_changed_after_loading(write):
    found = config.load(write(LEAST), {})
    with pytest.raises(ValidationError, match="frozen"):
        found.policy = "strict"


def test_a_policy_file_is_found_from_the_folder_of_the_configuration(write, tmp_path):
    write("{}\n", "ours.yaml")
    assert config.load(write(LEAST + "policy: ours.yaml\n"), {}).policy == str(
        tmp_path / "ours.yaml"
    )


# --- the environment ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "environ", "meant"),
    [
        ("${A}", {"A": "x"}, "x"),
        ("${A}", {"A": ""}, ""),
        ("${A:-b}", {}, "b"),
        ("${A:-b}", {"A": ""}, "b"),
        ("${A:-b}", {"A": "x"}, "x"),
        ("${A:-}", {}, ""),
        ("${A}/${B:-c:-d}/e", {"A": "x"}, "x/c:-d/e"),
        ("$${A}", {"A": "x"}, "${A}"),
        ("$A", {"A": "x"}, "$A"),
        ("${A}", {"A": "${B}"}, "${B}"),
        ("${A}", {"A": "]\nsinks: {"}, "]\nsinks: {"),
    ],
)
def test_variables_are_replaced_inside_texts(write, written, environ, meant):
    path = write(f'sources:\n  - kind: folder\n    root: "{written}"\n')
    assert config.load(path, environ).sources[0].settings == {"root": meant}


def test_numbers_may_come_from_the_environment(write):
    path = write(LEAST + "limits: {workers: '${N}', memory: '${M:-1GiB}'}\n")
    limits = config.load(path, {"N": "2"}).limits
    assert (limits.workers, limits.memory) == (2, 2**30)


def test_a_variable_that_is_not_set_is_named_with_its_line(write):
    path = write("sources:\n  - kind: folder\n    root: ${MODELS}\n")
    [line] = refusal(path)
    assert line.startswith("config.yaml:3: sources[0].root: ")
    assert "MODELS is not set" in line
    assert "${MODELS:-default}" in line


@pytest.mark.parametrize("written", ["${}", "${A-B}", "${A", "${1}"])
def test_what_only_looks_like_a_variable_is_an_error(write, written):
    [line] = refusal(write(f"sources:\n  - kind: folder\n    root: 'x{written}'\n"))
    assert line.startswith(f"config.yaml:3: sources[0].root: found '{written}'")


def test_a_value_from_the_environment_is_never_repeated(write):
    path = write(LEAST + "limits:\n  device: ${SECRET}\n")
    [line] = refusal(path, {"SECRET": "hunter2"})
    assert line.startswith("config.yaml:4: limits.device: ")
    assert "hunter2" not in line


# --- what is refused, and how it is said --------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("limts: {}", "3: limts: no such setting here; did you mean limits? (there are: base"),
        ("limits:\n  memry: 1", "4: limits.memry: no such setting here; did you mean memory?"),
        ("server: {}", "3: server: no such setting here (there are: baseline, data, ledger,"),
        ("limits:\n  memory: 8XB", "4: limits.memory: found '8XB': expected a size such as 8GiB"),
        ("limits:\n  memory: 0", "4: limits.memory: found 0: expected a size"),
        ("limits:\n  wall: 90", "4: limits.wall: found 90: expected a duration such as 90s"),
        ("limits:\n  wall: 0s", "4: limits.wall: found '0s': expected a duration"),
        ("limits:\n  workers: 0", "4: limits.workers: found 0: expected a number of threads"),
        ("limits:\n  workers: true", "4: limits.workers: found True: expected a number"),
        ("limits:\n  device: gpu", "4: limits.device: found 'gpu': input should be 'auto', 'cpu'"),
        ("limits: 8GiB", "3: limits: found '8GiB': input should be a valid dict"),
        ("policy: strickt", "3: policy: no such preset here; did you mean strict? (there are:"),
        ("policy: no/such.yaml", "3: policy: no policy file "),
        ("policy: [strict]", "3: policy: expected the name of a preset or the path"),
        ("ledger: auditor.db", "3: ledger: expected a database URL such as sqlite:///"),
        ("reports: s3://bucket/x", "3: reports: found a URL (s3://…): expected a path on disk"),
        ("baseline: [prevoius]", "3: baseline[0]: found 'prevoius': expected previous, alias:"),
        ("baseline: ['alias:']", "3: baseline[0]: found 'alias:': expected previous, alias:"),
        ("baseline: previous", "3: baseline: found 'previous': input should be a valid tuple"),
        ("sinks: []", "3: sinks: found none: expected at least one"),
        ("sinks: [files]", "3: sinks[0]: expected a mapping with a kind and its settings"),
        ("sinks:\n  - formats: [html]", "4: sinks[0]: has no kind (there are: "),
        ("sinks:\n  - kind: flies", "4: sinks[0]: kind flies: no such kind here; did you mean fil"),
        ("policy: observe\npolicy: strict", "4: policy: is set again; it was set on line 3"),
        ("1: 2", "3: 1: no such setting here"),
        ("[1]: 2", "3: found a list or mapping as a key"),
        ("policy: !!python/name:os.system", "3: policy: the tag "),
        ("data: !mine x", "3: data: the tag !mine is not understood"),
        ("data: *nothing", "3: is not YAML: found undefined alias 'nothing'"),
        ("data: [1", "4: is not YAML: "),
        ("\tdata: 1", "3: is not YAML: "),
    ],
)
def test_a_problem_is_one_line_with_file_line_key_and_what_fits(write, text, expected):
    [line] = refusal(write(f"{LEAST}{text}\n"))
    assert line.startswith(f"config.yaml:{expected}")


def test_all_problems_are_said_at_once(write):
    lines = refusal(write("sorces: []\nlimits:\n  memory: much\n  wal: 1s\n"))
    assert len(lines) == 4
    assert lines[0].startswith("config.yaml:1: sorces: no such setting here; did you mean sources?")
    assert lines[1].startswith("config.yaml:4: limits.wal: no such setting here; did you mean wall")
    assert lines[2].startswith("config.yaml:1: sources: is required and not there")
    assert lines[3].startswith("config.yaml:3: limits.memory: found 'much'")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty: expected keys and values in YAML"),
        (b"# nothing yet\n", "is empty"),
        (b"\xff\xfe\x00", "is not a text file in UTF-8"),
        (b"a: \x07\n", "is not YAML"),
        (b"- kind: folder\n", "expected keys such as sources:"),
        (b"just words\n", "expected keys such as sources:"),
        (b"a: 1\n---\na: 2\n", "is not YAML: "),
    ],
)
def test_a_file_that_is_no_configuration_is_refused_in_one_line(tmp_path, content, expected):
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    [line] = refusal(path)
    assert line.startswith("config.yaml")
    assert expected in line


def test_a_file_that_is_not_there_is_named(tmp_path):
    [line] = refusal(tmp_path / "config.yaml")
    assert line == "config.yaml: cannot be read: No such file or directory"


def test_aliases_that_multiply_are_refused_before_they_fill_the_memory(write):
    levels = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10))
    [line] = refusal(write(f"a0: &a0 [x]\n{levels}"))
    assert "more than 10000 values" in line


@pytest.mark.parametrize("text", ["a: &a [*a]\n", "a: " + "[" * 5000])
def test_nesting_without_end_is_refused(write, text):
    assert len(refusal(write(text))) == 1


# --- units --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "count"),
    [("8GiB", 8 << 30), ("1.5 KiB", 1536), ("500mb", 500_000_000), ("1TB", 10**12), ("12", 12)],
)
def test_sizes_are_read_with_powers_of_1000_and_of_1024(text, count):
    assert size(text) == count


@pytest.mark.parametrize("bad", ["", "GiB", "-1GiB", "8 G", "8GiBs", "1e3", "nan", True, None, []])
def test_what_is_no_size_is_refused(bad):
    with pytest.raises(ValueError, match="expected a size"):
        size(bad)


@given(st.timedeltas(timedelta(seconds=1), timedelta(days=9999)))
def test_a_duration_written_out_is_read_back(span):
    whole = timedelta(days=span.days, seconds=span.seconds)
    minutes, seconds = divmod(whole.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    assert duration(f"{whole.days}d{hours}h{minutes}m{seconds}s") == whole


@pytest.mark.parametrize("bad", ["", "90", "s", "1m1h", "-5m", "1.5h", 90, None, "9" * 20 + "d"])
def test_what_is_no_duration_is_refused(bad):
    with pytest.raises(ValueError, match="expected a duration"):
        duration(bad)


# --- the file that ships, and the schema --------------------------------------------------


def test_the_shipped_file_loads_and_its_parts_can_be_built():
    found = config.load(SHIPPED, {})
    built = parts_of(found)
    assert [source.name for source in built.sources] == ["mlflow"]
    assert [sink.name for sink in built.sinks] == ["files", "mlflow"]
    assert built.sinks[0].folder == SHIPPED.parent / "reports"
    assert built.sources[0].uri == built.sinks[1].uri == f"sqlite:///{SHIPPED.parent}/mlflow.db"


def test_the_shipped_file_follows_the_environment():
    found = config.load(SHIPPED, {"MLFLOW_TRACKING_URI": "http://127.0.0.1:5000"})
    assert parts_of(found).sources[0].uri == "http://127.0.0.1:5000"


def test_the_shipped_file_says_what_the_defaults_are():
    shipped = config.load(SHIPPED, {})
    least = config.Config(sources=shipped.sources)
    assert shipped.limits == least.limits
    assert (shipped.policy, shipped.baseline) == (least.policy, least.baseline)
    assert shipped.reports.name == str(least.reports)
    assert [one.kind for one in shipped.sinks] == [one.kind for one in least.sinks]


def test_the_schema_is_valid_and_takes_the_shipped_file():
    described = config.schema()
    jsonschema.Draft202012Validator.check_schema(described)
    jsonschema.validate(plain(SHIPPED), described)


@pytest.mark.parametrize(
    "wrong",
    [
        {"limts": {}},
        {"limits": {"memry": 1}},
        {"limits": {"device": "gpu"}},
        {"limits": {"workers": 0}},
        {"sources": []},
        {"sources": [{"kind": "flder"}]},
        {"sources": [{"kind": "folder"}]},
        {"sources": [{"kind": "folder", "root": "x", "rot": "y"}]},
        {"sources": [{"kind": "folder", "root": "x", "history": "some"}]},
        {"sources": [{"root": "x"}]},
        {"sinks": [{"kind": "files", "frmats": ["html"]}]},
    ],
    ids=str,
)
def test_the_schema_refuses_what_the_program_refuses(write, wrong):
    whole = {"sources": [{"kind": "folder", "root": "models"}], **wrong}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(whole, config.schema())
    with pytest.raises(ConfigError):
        config.parts(config.load(write(json.dumps(whole)), {}))


def plain(path: Path) -> object:
    return YAML(typ="safe", pure=True).load(path)
