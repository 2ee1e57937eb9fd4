"""The page of evidence says what its figures say; what they promise holds for other networks."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from auditor import METRIC_SET
from auditor.checks import VERSION
from auditor.memory import Passing
from auditor.policy import LEVELS
from auditor.records import Level
from benchmarks.calibration.rates import Rate
from benchmarks.evidence import explained, faults, separation, tables
from benchmarks.evidence.auditing import outcome
from benchmarks.evidence.causes import AGAIN, BASE, CAUSES, WELL_TRAINED
from benchmarks.evidence.counts import Figures, Row, figures
from benchmarks.evidence.networks import FAMILIES
from benchmarks.evidence.training import Recipe, Start, accuracy, one_of, train

FIGURES = Figures.read(explained.FIGURES)
PAGE = explained.PAGE.read_text(encoding="utf-8")
OTHER_SEEDS = range(1000, 1005)  # the experiment has those below a hundred
SILENT = 0.95  # of the well-trained networks, at least


# --- what is published --------------------------------------------------------------------


@pytest.mark.parametrize("name", tables.BLOCKS)
def test_the_page_says_what_the_figures_say(name):
    table = tables.BLOCKS[name](FIGURES)
    assert f"<!-- {name} -->\n{table}\n<!-- end of {name} -->" in PAGE


def test_what_explain_says_is_made_from_the_same_figures():
    said = explained.CALIBRATION.read_text(encoding="utf-8")
    assert said == explained.text(FIGURES)


def test_the_figures_are_those_of_todays_checks():
    assert (FIGURES.metric_set, FIGURES.checks) == (METRIC_SET, VERSION)
    assert {row.cause for row in FIGURES.rows} == set(CAUSES)
    assert FIGURES.seeds >= 20


@pytest.mark.parametrize("way", ["alone", "against"])
@pytest.mark.parametrize("preset", ["observe", "recommended"])
def test_good_networks_pass(way, preset):
    """Over all families, for every way in which a network is well trained."""
    for cause in (name for name, one in CAUSES.items() if one.group == WELL_TRAINED):
        rows = [row for row in FIGURES.rows if row.cause == cause]
        passed = sum(row.silent[way][preset] for row in rows)
        assert passed >= SILENT * sum(row.networks for row in rows), cause


def test_the_same_weights_registered_again_pass():
    rows = [row for row in FIGURES.rows if row.cause == AGAIN]
    assert all(row.silent["against"]["observe"] == row.networks for row in rows)


def test_a_check_that_tells_nothing_from_good_training_is_information():
    tried = (check for check in LEVELS if check not in explained.UNTRIED)
    for check in (one for one in tried if explained.support(FIGURES, one) == "literature"):
        assert set(LEVELS[check]) == {Level.OFF}, check


@pytest.mark.parametrize("check", explained.UNTRIED)
def test_what_was_not_tried_is_information_by_default(check):
    assert LEVELS[check][:2] == (Level.OFF, Level.OFF)


# --- networks that nobody has seen --------------------------------------------------------


def seen_again(family, recipe, seeds):
    """Networks of new seeds: their accuracy, and what is said of each beside its neighbour."""
    stack = train(family, recipe, list(seeds), None)
    networks = [one_of(stack, place) for place in range(len(seeds))]
    pairs = zip(networks, networks[1:] + networks[:1], strict=True)
    memory = Passing()
    said = [(outcome(*pair, memory), outcome(pair[0], pair[0], memory)) for pair in pairs]
    return accuracy(family, stack), said


def test_freshly_trained_networks_pass_and_so_does_registering_them_again():
    known, said = seen_again(FAMILIES["mlp"], Recipe(epochs=10), OTHER_SEEDS)
    assert min(known.unseen) > 0.9
    for other_run, same in said:
        assert other_run.alone.verdicts["observe"] == "PASS", other_run.alone.hits
        assert other_run.against.verdicts["observe"] == "PASS", other_run.against.hits
        assert same.against.verdicts["observe"] == "PASS", same.against.hits


@pytest.mark.wide
@pytest.mark.parametrize("family", FAMILIES)
def test_freshly_trained_networks_of_every_family_pass(family):
    known, said = seen_again(FAMILIES[family], BASE[family], OTHER_SEEDS)
    assert min(known.unseen) > 0.9
    ways = [
        (other_run.alone.verdicts["observe"], other_run.against.verdicts["observe"])
        for other_run, _ in said
    ]
    assert ways == [("PASS", "PASS")] * len(OTHER_SEEDS)


# --- the experiment itself ----------------------------------------------------------------


def test_a_network_does_not_depend_on_those_trained_beside_it():
    family, recipe = FAMILIES["mlp"], Recipe(epochs=1)
    together, alone = train(family, recipe, [3, 4], None), train(family, recipe, [4], None)
    for name, one in alone.items():
        torch.testing.assert_close(together[name][1], one[0], rtol=1e-3, atol=1e-4)


def test_training_is_the_same_every_time():
    one, again = (train(FAMILIES["deep"], Recipe(epochs=1), [5], None) for _ in range(2))
    assert all(torch.equal(one[name], again[name]) for name in one)


def test_frozen_layers_stay_as_they_are():
    family = FAMILIES["mlp"]
    start = train(family, Recipe(epochs=1), [0], None)
    found = train(family, Recipe(epochs=1), [0], Start(start, ("fc1.",), tuned_to="shifted"))
    assert torch.equal(found["fc1.weight"], start["fc1.weight"])
    assert not torch.equal(found["fc2.weight"], start["fc2.weight"])


@pytest.fixture
def matrix(rng):
    return rng.normal(0.0, 0.1, (64, 32)).astype(np.float32)


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_pruning_leaves_the_largest(matrix, share):
    found = faults.pruned({"fc.weight": matrix, "fc.bias": matrix[0]}, share)
    left = found["fc.weight"] != 0
    assert left.mean() == pytest.approx(1.0 - share, abs=0.01)
    assert np.abs(matrix[left]).min() >= np.abs(matrix[~left]).max()
    assert np.array_equal(found["fc.bias"], matrix[0])


@pytest.mark.parametrize(("bits", "values"), [(8, 255), (4, 15)])
def test_rounding_leaves_few_values(matrix, bits, values):
    found = faults.rounded({"fc.weight": matrix}, bits)["fc.weight"]
    assert len(np.unique(found)) <= values
    assert np.abs(found - matrix).max() <= np.abs(matrix).max() / (values - 1) * 1.01


def test_damage_is_what_its_name_says(matrix, rng):
    kernels = rng.normal(size=(40, 30, 3, 3)).astype(np.float32)
    assert np.linalg.matrix_rank(faults.of_low_rank(rng, matrix)) == 2
    assert np.linalg.matrix_rank(faults.of_low_rank(rng, kernels)[:, :, 0, 0]) == 2
    assert (~faults.dead_rows(rng, matrix).any(axis=1)).sum() == 13
    shrunk = np.abs(faults.shrunk_channels(rng, matrix)).max(axis=1)
    assert (shrunk < 0.01).sum() == 51
    assert (faults.huge_entries(rng, kernels) != kernels).sum() == faults.TRAPS
    assert np.isnan(faults.not_a_number(rng, matrix)).sum() == 1
    assert np.ptp(faults.constant(rng, matrix)) == 0.0


# --- counting -----------------------------------------------------------------------------


WAYS = ("alone", "against")


def row(cause, family="mlp", hits=0, networks=20):
    counted = {"over_trained": hits} if hits else {}
    return Row(
        family=family,
        cause=cause,
        networks=networks,
        layers=3 * networks,
        learned=None,
        unseen=None,
        alpha=None,
        silent={way: dict.fromkeys(("observe", "recommended", "strict"), 0) for way in WAYS},
        hits=dict.fromkeys(WAYS, counted),
        layer_hits={way: {} for way in WAYS},
    )


@pytest.mark.parametrize(("hits", "told"), [(20, True), (5, False), (0, False)])
def test_a_cause_is_told_apart_where_its_interval_lies_above_that_of_good_networks(hits, told):
    rows = (row("well trained, Adam", hits=1), row("untrained", hits=hits))
    made = Figures(20, METRIC_SET, VERSION, rows, ())
    assert bool(separation.told(made, "over_trained")) == told


def test_good_networks_of_other_families_are_no_reference():
    rows = (
        row("well trained, Adam", "deep", hits=20),
        row("well trained, Adam", "mlp"),
        row("untrained", "mlp", hits=20),
    )
    made = Figures(20, METRIC_SET, VERSION, rows, ())
    (found,) = separation.told(made, "over_trained")
    assert (found.rate, found.reference) == (Rate(20, 20), Rate(0, 20))


def test_figures_come_back_from_a_file(tmp_path):
    made = figures({}, 2)
    made.write(tmp_path / "figures.json")
    assert Figures.read(tmp_path / "figures.json") == made


@pytest.mark.wide
def test_the_script_trains_audits_and_prints_what_was_asked_for(tmp_path):
    script = explained.ROOT / "benchmarks" / "evidence.py"
    asked = ["--seeds", "2", "--only", "mlp untrained", "mlp registered", "--results", tmp_path]
    command: list[str | Path] = [sys.executable, script, *asked]
    for _ in range(2):  # the second finds everything on file
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        assert done.returncode == 0, done.stderr
        assert "4 networks, 2 seeds of each of 2 causes" in done.stdout
        assert "| untrained | 2 | 100 % [16, 100] |" in done.stdout
    assert "jobs" not in done.stderr
