"""The calibration plants what it says, counts what it found, and writes it where it belongs."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from benchmarks.calibration import matrices, page, tables
from benchmarks.calibration.auditing import draw, outcomes
from benchmarks.calibration.journal import TRIALS, Journal
from benchmarks.calibration.kinds import BY_NAME, KINDS
from benchmarks.calibration.rates import Rate
from benchmarks.calibration.results import sort
from benchmarks.calibration.shapes import (
    CLASSES,
    SHAPES,
    dims_of,
    num_evals,
    size_class,
    title,
)

ROOT = Path(__file__).parents[1]
SMALL, CONV = (64, 64), (16, 8, 3, 3)


def test_there_are_thirty_shapes_and_every_class_of_size_has_some():
    assert len(set(SHAPES)) == len(SHAPES) == 30
    assert {size_class(num_evals(dims)) for dims in SHAPES} == set(CLASSES)
    assert all(dims_of(title(dims)) == dims for dims in SHAPES)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_draw_is_the_same_every_time_and_another_with_another_number(kind):
    one, again, other = (draw(kind, CONV, number).after for number in (0, 0, 1))
    assert all(np.array_equal(one[name], again[name], equal_nan=True) for name in one)
    assert kind.name == "all zero" or any(not np.array_equal(one[n], other[n]) for n in one)
    assert all(array.shape == CONV for array in one.values())


@pytest.mark.parametrize("alpha", [1.5, 2.0, 3.0, 6.0])
def test_heavy_tailed_matrices_have_the_exponent_they_are_named_after(alpha, rng):
    weights = matrices.heavy(rng, 600, 500, alpha=alpha)
    values = np.sort(np.linalg.eigvalsh(weights.T @ weights)) * 600
    above = values[values > 1.0]
    exponent = 1.0 + above.size / np.log(above).sum()
    assert exponent == pytest.approx(alpha, abs=4.0 * (alpha - 1.0) / np.sqrt(above.size))


def test_a_share_of_the_rank_is_kept(rng):
    weights = matrices.heavy(rng, 100, 60, alpha=3.0, rank_share=0.05)
    assert np.linalg.matrix_rank(weights) == 3


def test_planted_directions_stand_out_by_as_much_as_was_said(rng):
    weights = matrices.spiked(rng, 400, 300, strength=4.0) * np.sqrt(300)
    sizes = np.linalg.svd(weights, compute_uv=False)
    planted = 4.0 * matrices.threshold(400, 300)
    expected = np.sqrt((planted**2 + 400) * (planted**2 + 300)) / planted
    assert sizes[:3] == pytest.approx(expected, rel=0.05)
    assert sizes[3] < np.sqrt(400) + np.sqrt(300)


def test_huge_entries_are_where_they_are_said_to_be(rng):
    array = matrices.tensor(rng, CONV, matrices.gaussian)
    found, entries = matrices.with_huge_entries(rng, array, strength=4.0)
    changed = np.argwhere(found != array)
    assert {(row, column) for row, column, *_ in changed.tolist()} == entries
    assert len({tuple(place[2:]) for place in changed.tolist()}) == 1, "one slice"


def test_an_outcome_says_what_counts_in_the_gate_and_what_was_named():
    (outcome,) = outcomes(draw(BY_NAME["8 × in α = 3"], SMALL, 0))
    assert outcome.gates == ("correlation_traps",)
    assert outcome.named


def test_a_baseline_is_compared_with():
    (outcome,) = outcomes(draw(BY_NAME["× 0.1"], SMALL, 0))
    assert outcome.gates == ("scale_collapse",)
    assert outcome.informs == ("large_change",)


@pytest.mark.parametrize(("hits", "total"), [(0, 50), (3, 50), (49, 50), (50, 50)])
def test_bounds_are_those_of_clopper_and_pearson(hits, total):
    rate = Rate(hits, total)
    # both ends of the two-sided interval at 90 % are those of one-sided ones at 95 %
    low, high = binomtest(hits, total).proportion_ci(0.9, method="exact")
    assert rate.at_least == pytest.approx(low)
    assert rate.at_most == pytest.approx(high)


def test_without_a_layer_nothing_is_known():
    assert (Rate(0, 0).at_least, Rate(0, 0).at_most) == (0.0, 1.0)


def test_a_journal_goes_on_where_it_was_interrupted(tmp_path):
    path = tmp_path / "deep" / "calibration.jsonl"
    Journal.open(path, TRIALS).add({"ours|Gaussian|64x64|0": [{"evals": 64}]})
    with path.open("a") as file:
        file.write('{"ours|Gaussian|64x64|1": [{"ev')  # the process was ended here
    journal = Journal.open(path, TRIALS)
    assert journal.found == {"ours|Gaussian|64x64|0": [{"evals": 64}]}
    journal.add({"ours|Gaussian|64x64|1": []})
    assert len(Journal.open(path, TRIALS).found) == 2


def test_a_journal_of_other_code_is_begun_anew(tmp_path):
    path = tmp_path / "calibration.jsonl"
    path.write_text('{"code": "another"}\n{"ours|Gaussian|64x64|0": []}\n')
    assert not Journal.open(path, TRIALS).found


def test_tables_replace_what_stands_between_their_marks(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("Before.\n<!-- null -->\nold\n<!-- end of null -->\nAfter \\1.\n")
    page.write(path, {"null": "| new \\1 |"})
    said = path.read_text()
    assert said == "Before.\n<!-- null -->\n| new \\1 |\n<!-- end of null -->\nAfter \\1.\n"
    with pytest.raises(ValueError, match="no place for 'traps'"):
        page.write(path, {"traps": ""})


def test_the_page_has_a_place_for_every_table(tmp_path):
    path = tmp_path / "calibration.md"
    path.write_text((ROOT / "docs" / "calibration.md").read_text(encoding="utf-8"))
    page.write(path, dict.fromkeys(tables.BLOCKS, ""))


def test_tables_count_layers_by_size_and_by_what_counts_in_the_gate(tmp_path):
    journal = Journal.open(tmp_path / "calibration.jsonl", TRIALS)
    said = {"evals": 64, "spikes": 1.0, "strength": 0.9, "named": True, "informs": []}
    journal.add({"ours|Gaussian|64x64|0": [{**said, "gates": ["random_like"]}]})
    journal.add({"ours|Gaussian|64x64|1": [{**said, "gates": ["correlation_traps"]}]})
    results = sort([journal])
    assert "| any of these | – | 1 / 2 | – | – | 1 / 2 | 50.00 % |" in tables.null(results)
    assert "| Gaussian | 1 / 2 | – | – | 50.00 % | 2.53 % |" in tables.untrained(results)
    assert "| Gaussian | – | 2 / 2 | – | – | 2 / 2 | 100.00 % |" in tables.spikes(results)


@pytest.mark.wide
def test_a_quick_run_fills_the_tables(tmp_path):
    script = ROOT / "benchmarks" / "calibrate.py"
    command: list[str | Path] = [sys.executable, script, "--quick", "--results", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\| any of these \| 0 / \d+", done.stdout, re.MULTILINE)
    assert re.search(r"^\| × 0.1 \| `scale_collapse` \| 1 / 1 \| 2 / 2", done.stdout, re.MULTILINE)
