"""A model through its versions: planted audits in, the line of a metric out."""

import csv
import json
import math
import shutil
from contextlib import closing
from datetime import timedelta

import pytest

from auditor.cli import run
from auditor.config import Config, Plugin
from auditor.errors import UsageError
from auditor.ledger import Ledger
from auditor.records import Decision, Verdict
from auditor.story.timeline import Wish, bars, timeline
from tests.ledger.makers import START, TODAY, audited, finding, layer, version

ALPHAS = {1: (3.0, 4.0, 8.0), 2: (2.0, 3.0, 4.0), 3: (math.nan,) * 3, 10: (5.0, 5.5, 9.0)}
CONFIG = Config(sources=(Plugin("folder", {"root": "models"}),))
NAMES = ("h.0.attn", "h.0.mlp", "head")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Four versions of one model, in a file."""
    path = tmp_path_factory.mktemp("made") / "auditor.db"
    with closing(Ledger.open(f"sqlite:///{path}")) as ledger:
        for number, alphas in ALPHAS.items():
            layers = [layer(n, i, a) for i, (n, a) in enumerate(zip(NAMES, alphas, strict=True))]
            found = audited(
                version(number),
                verdict=Verdict.BLOCK if number == 2 else Verdict.PASS,
                layers=layers,
                distances=(0.1, 0.2, 0.6) if number > 1 else (),
                findings=[finding("non_finite", "head")] if number == 2 else [],
            )
            ledger.save(version(number), found, sinks=[], at=START)
    return path


@pytest.fixture
def ledger(made, tmp_path):
    shutil.copyfile(made, tmp_path / "auditor.db")
    with closing(Ledger.open(f"sqlite:///{tmp_path / 'auditor.db'}")) as found:
        yield found


def line(ledger, name="digits", **wish):
    return timeline(ledger, name, Wish(**wish), CONFIG, TODAY)


def test_versions_stand_in_their_order_with_what_became_of_them(ledger):
    ledger.decide(
        version(2), Decision(accept=True, by="ann", reason="known", at=START, until=TODAY)
    )
    found = line(ledger)
    assert [point.version for point in found.points] == ["1", "2", "3", "10"]
    assert [point.verdict for point in found.points] == ["PASS", "BLOCK", "PASS", "PASS"]
    assert [point.decision for point in found.points] == [
        "",
        f"accepted by ann until {TODAY}",
        "",
        "",
    ]
    assert [point.findings_new for point in found.points] == [0, 1, 0, 0]
    assert [point.compared_with for point in found.points] == ["", "0", "0", "0"]


def test_a_decision_that_ended_is_not_told(ledger):
    ledger.decide(
        version(2), Decision(accept=True, by="ann", reason="known", at=START, until=TODAY)
    )
    tomorrow = TODAY + timedelta(days=1)
    found = timeline(ledger, "digits", Wish(), CONFIG, tomorrow)
    assert [point.decision for point in found.points] == ["", "", "", ""]


def test_a_metric_is_told_with_its_spread_and_its_change(ledger):
    """Against the version before that has it: version 3 has none."""
    found = line(ledger).points
    assert [point.value for point in found] == pytest.approx([4.0, 3.0, math.nan, 5.5], nan_ok=True)
    changes = [math.nan, -1.0, math.nan, 2.5]
    assert [point.change for point in found] == pytest.approx(changes, nan_ok=True)
    assert (found[0].p5, found[0].p95) == pytest.approx((3.1, 7.6))
    assert [point.layers for point in found] == [3, 3, 0, 3]
    assert [point.distance for point in found[1:]] == pytest.approx([0.3] * 3)


def test_the_mean_is_another_number(ledger):
    assert line(ledger, of="mean").points[0].value == 5.0


def test_patterns_choose_layers_for_the_metric_and_for_the_distance(ledger):
    found = line(ledger, layers=("h.*", "!*.mlp")).points
    assert [point.value for point in found] == pytest.approx([3.0, 2.0, math.nan, 5.0], nan_ok=True)
    assert found[1].distance == pytest.approx(0.1)


def test_the_newest_change_from_what_is_not_shown(ledger):
    [newest, last] = line(ledger, last=2).points
    assert (newest.version, last.version) == ("3", "10")
    [only] = line(ledger, last=1).points
    assert only.version == "10"
    [_, second, *_] = line(ledger, last=3, metric="log_spectral_norm").points
    assert second.change == 0.0


def test_the_bars_go_from_the_smallest_to_the_largest(ledger):
    assert line(ledger).sparkline == "▄▁·█"
    assert bars([]) == ""
    assert bars([math.nan]) == "·"


@pytest.mark.parametrize("name", ["digits", "mlflow:digits"])
def test_a_model_is_named_alone_or_with_its_source(ledger, name):
    found = line(ledger, name)
    assert (found.source, found.model) == ("mlflow", "digits")


def test_a_name_that_two_sources_have_is_asked_back(ledger):
    other = version(1)
    twin = type(other)(
        id=type(other.id)("hub", "digits", "1"), created_at=START, uri="hf://digits", location="x"
    )
    ledger.save(twin, audited(twin), sinks=[], at=START)
    with pytest.raises(UsageError, match="say which: hub:digits, mlflow:digits"):
        line(ledger)
    assert line(ledger, "hub:digits").source == "hub"


@pytest.mark.parametrize(
    ("name", "wish", "said"),
    [
        ("digit", {}, "no audited model is called digit; there are: mlflow:digits"),
        ("x\x1b[2J", {}, r"called x\\x1b"),
        ("digits", {"metric": "alhpa"}, "no metric is called alhpa; nearest: alpha"),
        ("digits", {"metric": "stable_rank"}, "measured in none"),
        ("digits", {"layers": ("zz",)}, "no layer of these audits is called as zz asks"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(ledger, name, wish, said):
    with pytest.raises(UsageError, match=said):
        line(ledger, name, **wish)


# --- the command --------------------------------------------------------------------------


@pytest.fixture
def _here(ledger, tmp_path, monkeypatch):  # noqa: ARG001 - the ledger lies there
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(
        "ledger: sqlite:///auditor.db\nsources: [{kind: folder, root: models}]\n"
    )


@pytest.mark.usefixtures("_here")
def test_the_table_has_a_row_per_version_and_the_line_below(capsys):
    assert run(["history", "digits"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows[1:5]] == ["1", "2", "3", "10"]
    assert rows[-1] == "median alpha of mlflow:digits  ▄▁·█"


@pytest.mark.usefixtures("_here")
def test_json_and_csv_have_the_same_rows(capsys):
    assert run(["history", "digits", "--json", "--last", "2"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["metric"], found["of"], found["layers"]) == ("alpha", "median", [])
    assert [row["value"] for row in found["versions"]] == [None, 5.5]
    assert run(["history", "digits", "--csv"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [row["version"] for row in rows] == ["1", "2", "3", "10"]
    assert rows[1]["compared_with"] == "0"


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize(
    "words",
    [
        ["nobody"],
        ["digits", "--json", "--csv"],
        ["a/b"],
        ["\udcff"],
        ["digits", "--last", "9" * 30],
    ],
)
def test_what_cannot_be_told_is_one_line_and_exit_two(words, capsys):
    assert run(["history", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_without_a_ledger_nothing_is_made(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["history", "digits"]) == 2
    assert "there is no ledger yet" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
