"""``auditor policy test``: what a policy would say of stored audits."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from auditor.app import assemble
from auditor.cli import run
from auditor.config import load
from auditor.pipeline import once
from auditor.records import Decision
from auditor.replaying import Asked, replay
from auditor.wall import process
from auditor.wall.jobs import quiet
from tests import models
from tests.ledger.conftest import made_file
from tests.models import weights, write
from tests.test_rejudging import place

__all__ = ["made_file", "place"]  # fixtures

ZERO = {"zero.weight": np.zeros((16, 16))}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models judged by ``observe``; the first version of one has a layer of zeros."""
    here = tmp_path_factory.mktemp("replaying")
    write(here / "models/net/1", weights(**ZERO), day=1)
    write(here / "models/net/2", weights(), day=2)
    write(here / "models/faces/1", weights(3, **ZERO), day=1)
    with assemble(load(models.config(here, policy="observe")), execute=process.here) as app:
        once(app)
    for file in (here / "models").rglob("*.safetensors"):
        file.unlink()  # nothing of it is needed
    return here


@pytest.fixture(autouse=True)
def at_home(root, monkeypatch) -> None:
    monkeypatch.chdir(root)


def lines_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    """Exit code and lines."""
    code = run(["policy", "test", *arguments])
    return code, capsys.readouterr().out.splitlines()


def test_the_newest_versions_are_judged_and_the_difference_named(capsys):
    code, lines = lines_of(capsys, "recommended")
    assert code == 0
    assert lines == [
        "folder:faces@1: REVIEW -> BLOCK: fails all_zero (error)",
        "1 of 2 verdicts would change: 1 REVIEW -> BLOCK",
    ]


def test_with_history_every_version_is(capsys):
    code, lines = lines_of(capsys, "recommended", "--history", "--verdicts-only")
    assert code == 0
    assert lines[-1] == "2 of 3 verdicts would change: 2 REVIEW -> BLOCK"
    assert len(lines) == 3


def test_only_the_models_asked_for_are_judged(capsys):
    for pattern in ("net", "folder:ne*"):
        _, lines = lines_of(capsys, "recommended", "--history", "--model", pattern)
        assert lines[-1] == "1 of 2 verdicts would change: 1 REVIEW -> BLOCK"


def test_the_policy_in_force_changes_nothing(capsys):
    assert lines_of(capsys, "observe", "--history") == (0, ["0 of 3 verdicts would change"])


def test_a_limit_on_a_metric_is_a_difference_too(capsys, root):
    (root / "limit.yaml").write_text(
        "extends: observe\nrules: [{metric: alpha, of: median, level: error, max: 0.1}]\n"
    )
    _, lines = lines_of(capsys, "limit.yaml", "--model", "net")
    assert lines[0] == "folder:net@2: PASS -> BLOCK: fails alpha:median:max (error)"


def test_the_floor_stays_under_the_policy(capsys, root):
    (root / "floor.yaml").write_text("checks: {all_zero: error}\n")
    config = (root / "config.yaml").read_text()
    (root / "floored.yaml").write_text(config + "floor: floor.yaml\n")
    _, lines = lines_of(capsys, "observe", "--config", "floored.yaml")
    assert lines[0].startswith("folder:faces@1: REVIEW -> BLOCK: fails all_zero")


def test_as_json_for_programs_and_with_an_exit_code_for_scripts(capsys):
    code = run(["policy", "test", "recommended", "--json", "--fail-on-change"])
    found = json.loads(capsys.readouterr().out)
    assert code == 1
    assert (found["policy"], found["judged"]) == ("recommended", 2)
    assert found["totals"] == {"REVIEW -> BLOCK": 1}
    (one,) = found["differences"]
    assert (one["source"], one["model"], one["version"]) == ("folder", "faces", "1")
    assert one["reason"] == "zero.weight is all zero: 256 values"


def test_nothing_is_written(capsys, root):
    before = (root / "auditor.db").read_bytes()
    lines_of(capsys, "strict", "--history")
    assert (root / "auditor.db").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.yaml"], "no such policy here"),
        (["strict", "--model", "nope"], "no audit of a model called nope"),
    ],
)
def test_what_cannot_be_judged_is_one_line_and_exit_code_2(capsys, arguments, said):
    assert run(["policy", "test", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


# --- what it foretells ------------------------------------------------------------------------

LAX = (
    "extends: recommended\nchecks: {rank_collapse: {level: error, min_share: 0.0, max_fall: 1.0}}\n"
)
RULES = """
extends: recommended
rules:
  - {metric: alpha, of: median, level: warn, max_increase: 0.0}
  - {metric: relative, of: layer, level: error, max: 0.2, layer: "fc*"}
  - {check: rank_collapse, level: error, max: 1}
"""
WAIVED = f"""
extends: recommended
waivers:
  - {{check: all_zero, model: "folder:net", layer: "*", reason: r, owner: o,
     expires: {datetime.now(UTC):%Y-%m-%d}}}
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (LAX, "extends: recommended"),
        *(
            pytest.param(*moved, marks=pytest.mark.wide)
            for moved in [
                ("extends: observe", "extends: recommended"),
                ("extends: recommended", LAX),
                ("extends: observe", RULES),
                (RULES, "extends: strict"),
                (WAIVED, "extends: recommended"),
                ("extends: strict", WAIVED),
            ]
        ),
    ],
)
def test_what_it_foretells_is_what_happens(place, before, after):
    """A version is judged against what its baseline is by then, not against what it was."""
    place.policy(before)
    place.write(1)
    place.write(2, **{"fc2.weight": models.collapsed(), **ZERO})
    place.write(3, **{**weights(5), "fc2.weight": models.collapsed()})
    place.write(4, **{**weights(6), "fc2.weight": 1.001 * models.collapsed(), **ZERO})
    place.once()
    place.policy(f"{after}\nretroactive: true")
    asked = Asked(str(place.root / "policy.yaml"), history=True)
    foretold = replay(place.config(), asked, datetime.now(UTC), quiet).differences
    happened = [
        (one["model"]["version"], one["rejudged"]["verdict"], one["verdict"])
        for one in place.once().audited
    ]
    assert [(one.version.version, one.now, one.then) for one in foretold] == happened


def test_what_was_accepted_of_a_baseline_is_foretold_with_what_a_new_limit_finds_in_it(place):
    place.policy("extends: observe")
    place.write(1)
    place.once()
    with place.app() as app:
        said = Decision(accept=True, by="ann", reason="so", at=app.clock())
        app.ledger.decide(place.version(app, 1), said)
    place.write(2, **{"fc1.weight": weights(5)["fc1.weight"]})
    place.once()
    place.policy(
        "extends: observe\nretroactive: true\n"
        "rules: [{metric: alpha, of: layer, level: error, max: 0.1}]"
    )
    asked = Asked(str(place.root / "policy.yaml"), history=True)
    foretold = replay(place.config(), asked, datetime.now(UTC), quiet).differences
    happened = {one["model"]["version"]: one["verdict"] for one in place.once().audited}
    assert {one.version.version: one.then for one in foretold} == happened
    assert happened == {"1": "BLOCK", "2": "PASS"}
