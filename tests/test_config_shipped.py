"""Units in config.yaml, the file that ships, and the schema that describes it."""

import json
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from auditor import config
from auditor.config.units import duration, size
from auditor.errors import ConfigError

SHIPPED = Path(__file__).parents[1] / "config.yaml"


# --- units --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("8GiB", 8 << 30),
        ("1.5 KiB", 1536),
        ("500mb", 500_000_000),
        ("1TB", 10**12),
        ("12", 12),
        ("9" * 400, int("9" * 400)),
    ],
)
def test_sizes_are_read_with_powers_of_1000_and_of_1024(text, count):
    assert size(text) == count


@pytest.mark.parametrize("bad", ["", "GiB", "-1GiB", "8 G", "8GiBs", "1e3", "nan", True, None, []])
def test_what_is_no_size_is_refused(bad):
    with pytest.raises(ValueError, match="expected a size"):
        size(bad)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("1.5H", 5400),
        ("1h30m", 5400),
        ("1d 2h", 93_600),
        ("36500d", 36500 * 86400),
    ],
)
def test_times_are_read_with_their_units_and_added(text, seconds):
    assert duration(text) == seconds


@pytest.mark.parametrize(
    "bad", ["", "m", "0s", "-1s", "90", "1h30", "36501d", "9" * 400 + "s", True, None, 60, []]
)
def test_what_is_no_time_is_refused(bad):
    with pytest.raises(ValueError, match=r"expected (a time|36500d)"):
        duration(bad)


# --- the file that ships, and the schema --------------------------------------------------


def test_the_shipped_file_loads_and_its_parts_can_be_built():
    found = config.load(SHIPPED, {})
    built = config.parts(found)
    assert [source.name for source in built.sources] == ["mlflow"]
    assert [sink.name for sink in built.sinks] == ["files", "mlflow"]
    assert built.sinks[0].folder == SHIPPED.parent / "reports"
    assert built.sources[0].uri == built.sinks[1].uri == f"sqlite:///{SHIPPED.parent}/mlflow.db"


def test_the_shipped_file_follows_the_environment():
    found = config.load(SHIPPED, {"MLFLOW_TRACKING_URI": "http://127.0.0.1:5000"})
    assert config.parts(found).sources[0].uri == "http://127.0.0.1:5000"


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
        {"limits": {"memory": []}},
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
def test_the_schema_refuses_what_the_program_refuses(tmp_path, wrong):
    whole = {"sources": [{"kind": "folder", "root": "models"}], **wrong}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(whole, config.schema())
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps(whole), encoding="utf-8")  # JSON is YAML
    with pytest.raises(ConfigError):
        config.parts(config.load(path, {}))


def plain(path: Path) -> object:
    return YAML(typ="safe", pure=True).load(path)
