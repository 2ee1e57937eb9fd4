"""Plug-ins are files: these tests put real ones into the rooms and ask for them by name."""

import sys
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor import config, plugins, sinks, sources
from auditor.errors import ConfigError
from auditor.plugins import Place
from auditor.plugins.settings import history

POND = '''
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from auditor.errors import ConfigError
from auditor.records import Rhythm

@dataclass(frozen=True, slots=True)
class DeepPond:
    """A pond.

    With more words.
    """

    usual: ClassVar[Rhythm] = Rhythm(every=60)

    root: Path
    depth: int = 3
    token: str = ""
    uri: str = ""
    tags: tuple[str, ...] = ()
    more: tuple[Path, ...] = ()
    cache: Path | None = None
    history: int | None = 1
    name: str = "pond"

    def __post_init__(self):
        if self.depth > 100:
            raise ConfigError("no pond is deeper than 100")
        if self.depth < 0:
            raise ValueError("a pond above the ground")
'''


@pytest.fixture(autouse=True)
def room(tmp_path, monkeypatch):
    """A folder whose files belong to ``auditor/sources`` while a test runs."""
    folder = tmp_path / "more_sources"
    folder.mkdir()
    monkeypatch.setattr(sources, "__path__", [*sources.__path__, str(folder)])
    (folder / "deep_pond.py").write_text(POND, encoding="utf-8")
    yield folder
    for file in folder.glob("*.py"):
        sys.modules.pop(f"auditor.sources.{file.stem}", None)
        vars(sources).pop(file.stem, None)


@pytest.fixture
def place(tmp_path):
    at = ("sources", 0)
    lines = {at: 4, (*at, "depth"): 5, (*at, "tags"): 6, (*at, "tags", 1): 8}
    return Place(tmp_path / "config.yaml", at, lines)


def refusal(settings: dict[str, object], place: Place | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        plugins.build("sources", "deep_pond", settings, place=place)
    folder = f"{place.folder}/" if place else ""
    return str(caught.value).replace(folder, "").splitlines()


# --- the folder is the registry -----------------------------------------------------------


def test_a_file_in_the_room_is_a_kind_and_its_class_is_the_plugin():
    assert "deep_pond" in plugins.kinds("sources")
    assert plugins.plugin("sources", "deep_pond").__name__ == "DeepPond"


def test_files_with_an_underscore_are_no_kinds(room):
    (room / "_shared.py").write_text("", encoding="utf-8")
    assert "_shared" not in plugins.kinds("sources")


def test_nothing_is_imported_that_was_not_named(room):
    (room / "broken.py").write_text("raise RuntimeError('imported')", encoding="utf-8")
    assert "broken" in plugins.kinds("sources")
    plugins.build("sources", "deep_pond", {"root": "x"})
    assert "auditor.sources.broken" not in sys.modules


def test_a_kind_whose_package_is_missing_names_the_package(room):
    (room / "lake.py").write_text("import lake_of_no_name", encoding="utf-8")
    with pytest.raises(ConfigError, match="kind lake needs the package lake_of_no_name"):
        plugins.plugin("sources", "lake")


def test_an_unknown_kind_is_named_with_the_nearest_and_all_there_are():
    with pytest.raises(
        ConfigError, match=r"kind dep_pond: .* did you mean deep_pond\? \(there are:"
    ):
        plugins.build("sources", "dep_pond", {})


@pytest.mark.parametrize("name", ["sources", "sinks"])
def test_every_kind_that_ships_has_its_class(name):
    for kind in plugins.kinds(name):
        assert plugins.plugin(name, kind).__module__ == f"auditor.{name}.{kind}"


def test_the_kinds_that_ship():
    assert {"folder", "mlflow"} <= set(plugins.kinds("sources"))
    assert {"files", "mlflow"} <= set(plugins.kinds("sinks"))
    assert Path(sinks.__path__[0]).is_dir()


# --- settings become fields ---------------------------------------------------------------


def test_settings_are_turned_into_the_types_of_the_fields(place):
    settings = {"root": "a", "depth": "7", "tags": ["x", "y"], "history": "all", "more": ["b"]}
    built = plugins.build("sources", "deep_pond", settings, place=place)
    assert built.root == place.folder / "a"
    assert built.more == (place.folder / "b",)
    assert (built.depth, built.tags, built.history) == (7, ("x", "y"), None)


def test_a_database_url_starts_from_the_folder_of_the_file(place):
    settings = {"root": "/a", "uri": "sqlite:///db/mlflow.db"}
    built = plugins.build("sources", "deep_pond", settings, place=place)
    assert built.root == Path("/a")
    assert built.uri == f"sqlite:///{place.folder}/db/mlflow.db"


def test_defaults_fill_only_fields_that_exist_and_were_not_set():
    known = {"cache": Path("/files"), "depth": 9, "folder": Path("/reports")}
    built = plugins.build("sources", "deep_pond", {"root": "x", "depth": 1}, defaults=known)
    assert (built.cache, built.depth) == (Path("/files"), 1)


def test_settings_given_by_the_caller_are_left_as_they_are():
    settings = {"root": "x", "history": "all"}
    plugins.build("sources", "deep_pond", settings)
    assert settings == {"root": "x", "history": "all"}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"rot": 1}, "config.yaml:4: sources[0].rot: no such setting here; did you mean root? (th"),
        ({}, "config.yaml:4: sources[0].root: is required and not there"),
        ({"root": "x", "depth": "deep"}, "config.yaml:5: sources[0].depth: found 'deep': "),
        ({"root": "x", "tags": ["a", 1]}, "config.yaml:8: sources[0].tags[1]: found 1: input s"),
        ({"root": "x", "tags": "a"}, "config.yaml:6: sources[0].tags: found 'a': expected a list"),
        ({"root": "s3://a"}, "config.yaml:4: sources[0].root: found a URL (s3://…): expected a"),
        ({"root": "x", "history": -1}, "config.yaml:4: sources[0].history: found -1: expected a"),
        ({"root": "x", "depth": 101}, "config.yaml:4: sources[0]: no pond is deeper than 100"),
        ({"root": "x", "depth": -1}, "config.yaml:4: sources[0]: a pond above the ground"),
    ],
    ids=str,
)
def test_a_setting_that_does_not_fit_is_one_line(place, settings, expected):
    [line] = refusal(settings, place)
    assert line.startswith(expected)


def test_settings_made_in_python_have_no_file_to_point_to():
    [line] = refusal({"rot": 1})
    assert line.startswith("rot: no such setting here; did you mean root?")


def test_long_values_are_shortened_in_messages(place):
    [line] = refusal({"root": "x", "depth": "9" * 1000 + "x"}, place)
    assert len(line) < 250


@pytest.mark.parametrize(
    ("word", "meant"), [("none", 0), ("all", None), (3, 3), ("12", 12), (0, 0)]
)
def test_history_is_a_number_none_or_all(word, meant):
    assert history(word) == meant


@given(
    st.one_of(st.none(), st.booleans(), st.floats(), st.integers(max_value=-1), st.text("anol١-"))
)
def test_history_is_nothing_else(word):
    if word in {"none", "all"}:
        return
    with pytest.raises(ValueError, match="expected a number of versions, none or all"):
        history(word)


# --- secrets ------------------------------------------------------------------------------


def test_a_secret_is_read_from_the_file_that_holds_it(place):
    (place.folder / "token.txt").write_text("hunter2\n", encoding="utf-8")
    settings = {"root": "x", "token_file": "token.txt"}
    built = plugins.build("sources", "deep_pond", settings, place=place)
    assert built.token == "hunter2"  # noqa: S105 - made up


def test_a_secret_is_never_repeated_in_a_message(place):
    (place.folder / "secret").write_text("hunter2", encoding="utf-8")
    [line] = refusal({"root": "x", "depth_file": "secret"}, place)
    assert "not shown" in line
    assert "hunter2" not in line


def test_a_secret_file_that_is_not_there_is_named(place):
    [line] = refusal({"root": "x", "token_file": "nowhere"}, place)
    assert line == "config.yaml:4: sources[0].token_file: cannot read nowhere: " + (
        "No such file or directory"
    )


def test_a_secret_given_twice_is_refused(place):
    [line] = refusal({"root": "x", "token": "a", "token_file": "b"}, place)
    assert line.endswith("sources[0].token_file: token is set too; keep one of the two")


# --- all parts of a configuration ---------------------------------------------------------


def pond(**settings: object) -> config.Plugin:
    return config.Plugin("deep_pond", settings)


def test_sources_keep_fetched_files_below_data_and_reports_go_to_reports():
    made = config.Config(sources=(pond(root="x"),), data=Path("/data"), reports=Path("/reports"))
    built = config.parts(made)
    assert built.sources[0].cache == Path("/data/files")
    assert built.sinks[0].folder == Path("/reports")


def test_an_mlflow_sink_without_address_writes_to_the_registry_that_is_watched():
    registry = config.Plugin("mlflow", {"uri": "http://127.0.0.1:1", "name": "team"})
    sink = config.Plugin("mlflow", {"experiment": "spectra"})
    [built] = config.parts(config.Config(sources=(registry,), sinks=(sink,))).sinks
    assert (built.uri, built.name, built.experiment) == ("http://127.0.0.1:1", "team", "spectra")


def test_an_mlflow_sink_keeps_its_own_address():
    registry = config.Plugin("mlflow", {"uri": "http://127.0.0.1:1", "name": "team"})
    sink = config.Plugin("mlflow", {"uri": "http://127.0.0.1:2"})
    [built] = config.parts(config.Config(sources=(registry,), sinks=(sink,))).sinks
    assert built.uri == "http://127.0.0.1:2"


def test_two_sources_of_one_name_are_refused():
    made = config.Config(sources=(pond(root="x"), pond(root="y")))
    with pytest.raises(ConfigError, match="two sources are named pond; give each a name of its"):
        config.parts(made)


def test_the_problems_of_all_parts_are_said_together():
    wrong = config.Plugin("files", {"frmats": []})
    made = config.Config(sources=(pond(rot=1), pond(dept=2)), sinks=(wrong,))
    with pytest.raises(ConfigError) as caught:
        config.parts(made)
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == [
        "rot",
        "dept",
        "frmats",
    ]


# --- the schema ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "fits"),
    [
        ({"kind": "deep_pond", "root": "x"}, True),
        ({"kind": "deep_pond", "root_file": "x"}, False),
        ({"kind": "deep_pond", "root": "x", "token_file": "y", "history": "none"}, True),
        ({"kind": "deep_pond", "root": "x", "history": None}, False),
        ({"kind": "deep_pond", "root": "x", "tags": ["a"], "depth": 2}, True),
        ({"kind": "deep_pond", "root": "x", "depth": "two"}, False),
        ({"kind": "deep_pond", "root": "x", "dept": 2}, False),
        ({"kind": "deep_pond"}, False),
        ({"root": "x"}, False),
    ],
    ids=str,
)
def test_the_schema_knows_the_settings_of_every_kind(entry, fits):
    described = plugins.describe("sources")
    assert jsonschema.Draft202012Validator(described).is_valid(entry) == fits


def test_the_schema_says_what_a_kind_is_for():
    [pond] = [one for one in plugins.describe("sources")["oneOf"] if "pond" in one["title"]]
    assert pond["description"] == "A pond."
