import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from auditor import config
from auditor.errors import ConfigError

LEAST = "sources:\n  - {kind: folder, root: models}\n"


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
    assert config.parts(found).sources[0].root == tmp_path / "models"


def test_paths_inside_a_section_start_there_too(write, tmp_path, monkeypatch):
    path = write(LEAST + "server: {tokens: tokens.json}\nnotify: [{name: us, url_file: us.url}]\n")
    monkeypatch.chdir("/")
    found = config.load(path, {})
    assert found.server.tokens == tmp_path / "tokens.json"
    assert found.notify[0].url_file == tmp_path / "us.url"


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
    text = "limits: {memory: 512MiB, disk: 2GB, workers: 3}\n"
    limits = config.load(write(LEAST + text), {}).limits
    assert (limits.memory, limits.disk) == (512 * 2**20, 2 * 10**9)
    assert limits.workers == 3


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
    path = write(LEAST + "limits:\n  workers: ${SECRET}\n")
    [line] = refusal(path, {"SECRET": "hunter2"})
    assert line.startswith("config.yaml:4: limits.workers: ")
    assert "hunter2" not in line


# --- what is refused, and how it is said --------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "limts: {}",
            "3: limts: no such setting here; did you mean limits? (there are: analysis, base",
        ),
        ("limits:\n  memry: 1", "4: limits.memry: no such setting here; did you mean memory?"),
        (
            "pond: {}",
            "3: pond: no such setting here (there are: analysis, baseline, data, floor, keep,",
        ),
        ("limits:\n  memory: 8XB", "4: limits.memory: found '8XB': expected a size such as 8GiB"),
        ("limits:\n  memory: 0", "4: limits.memory: found 0: expected a size"),
        ("limits:\n  workers: 0", "4: limits.workers: found 0: expected a number of threads"),
        ("limits:\n  workers: true", "4: limits.workers: found True: expected a number"),
        ("limits: 8GiB", "3: limits: found '8GiB': expected settings and their"),
        ("policy: strickt", "3: policy: no such preset here; did you mean strict? (there are:"),
        ("policy: no/such.yaml", "3: policy: no policy file "),
        ("policy: [strict]", "3: policy: expected the name of a preset or the path"),
        ("ledger: auditor.db", "3: ledger: expected a database URL such as sqlite:///"),
        ("ledger: mysql://u:s3cret@h/x", "3: ledger: found a database of kind 'mysql': expected"),
        ("keep: 90", "3: keep: found 90: expected a time such as 90s, 10m or 1h; or forever"),
        ("keep: 36501d", "3: keep: found '36501d': expected 36500d at most"),
        ("server: {url: a.example}", "3: server.url: found 'a.example': expected an address such"),
        ("notify: [{name: us}]", "3: notify[0]: expected one of url and url_file"),
        (
            "notify: [{name: us, url: 'json://s3cret', url_file: f}]",
            "3: notify[0]: expected one of url and url_file",
        ),
        ("data: [a]", "3: data: found ['a']: expected a path on disk"),
        ("data:", "3: data: found None: expected a path on disk"),
        ("data: ''", "3: data: found an empty text or a NUL in it: expected a path"),
        ('data: "a\\0b"', "3: data: found an empty text or a NUL in it: expected a path"),
        ("data: ~nobody-of-this-name/x", "3: data: cannot find the home folder in '~nobody-of"),
        ("reports: s3://bucket/x", "3: reports: found a URL (s3://…): expected a path on disk"),
        (
            "baseline: [prevoius]",
            "3: baseline[0]: found 'prevoius': expected previous, base_model, alias:",
        ),
        (
            "baseline: ['alias:']",
            "3: baseline[0]: found 'alias:': expected previous, base_model, alias:",
        ),
        ("baseline: previous", "3: baseline: found 'previous': expected a list"),
        ("baseline: ['sha256:12345']", "3: baseline[0]: found 'sha256:12345': expected sha256: an"),
        (f"baseline: ['sha256:{'e' * 65}']", "3: baseline[0]: found 'sha256:eeeeeeeee"),
        ("baseline: ['profile:../x']", "3: baseline[0]: found 'profile:../x': expected profile: "),
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
    assert "s3cret" not in line


def test_all_problems_are_said_at_once(write):
    lines = refusal(write("sorces: []\nlimits:\n  memory: much\n  dis: 1GB\n"))
    assert len(lines) == 4
    assert lines[0].startswith("config.yaml:1: sorces: no such setting here; did you mean sources?")
    assert lines[1].startswith("config.yaml:4: limits.dis: no such setting here; did you mean disk")
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
    assert line.startswith("config.yaml: there is no such file; name the configuration with --con")


def test_a_folder_is_no_configuration(tmp_path):
    (tmp_path / "config.yaml").mkdir()
    assert refusal(tmp_path / "config.yaml") == ["config.yaml: cannot be read: Is a directory"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


@settings(deadline=None)  # the first call imports what the others have
@example(key="analysis", value={"\n": None})
@example(key="limits", value={"a\u2028b\x1b": 1})
@given(key=st.sampled_from([*config.Config.model_fields]), value=VALUES)
def test_whatever_stands_at_a_key_is_a_configuration_or_a_refusal(tmp_path_factory, key, value):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    sources = [{"kind": "folder", "root": "models"}]
    path.write_text(json.dumps({"sources": sources, key: value}), encoding="utf-8")
    refused = ""
    try:
        config.parts(config.load(path, {}))
    except ConfigError as error:
        refused = str(error)
    assert all(line.startswith(str(path)) for line in refused.split("\n") if refused)


@given(
    content=st.binary(max_size=60) | st.text("a:[]{}&*!-|>\n\t '\"${}", max_size=30).map(str.encode)
)
def test_whatever_is_in_a_file_is_a_configuration_or_a_refusal(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError):
        config.load(path, {})


def test_aliases_that_multiply_are_refused_before_they_fill_the_memory(write):
    levels = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10))
    [line] = refusal(write(f"a0: &a0 [x]\n{levels}"))
    assert "more than 10000 values" in line


@pytest.mark.parametrize("text", ["a: &a [*a]\n", "a: " + "[" * 600])
def test_nesting_without_end_is_refused(write, text):
    assert len(refusal(write(text))) == 1


def test_a_key_that_a_search_of_the_hub_does_not_have_is_no_setting(write):
    text = "sources:\n  - {kind: hub, searches: [{tag: x}]}\n"
    with pytest.raises(ConfigError, match=r"searches\[0\]\.tag: no such setting here$"):
        config.parts(config.load(write(text), {}))
