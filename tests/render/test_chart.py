"""The drawing of a spectrum."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.render.chart import BOTTOM, LEFT, MOST_TICKS, RIGHT, TOP, Axis, Chart, spectrum
from tests.render import factory

ALPHA, XMIN, XMAX, BINS = 2.5, 2.0, 2000.0, 60


def pareto(**given: Any) -> dict[str, Any]:
    """A layer whose eigenvalues are a power law and nothing else, binned without noise."""
    edges = np.logspace(np.log10(XMIN), np.log10(XMAX), BINS + 1)
    above = (edges / XMIN) ** (1 - ALPHA)
    return {
        "name": "fc1",
        "num_evals": 1000,
        "alpha": ALPHA,
        "xmin": XMIN,
        "xmax": XMAX,
        "num_pl_spikes": 1000.0,
        "traps": [],
        "spectrum": {"lo": XMIN, "hi": XMAX, "density": list(above[:-1] - above[1:]), "twin": None},
        **given,
    }


def points(path: str) -> list[tuple[float, float]]:
    """Absolute corners of path data made of M and L, or M and relative l."""
    at, found = (0.0, 0.0), []
    for command, x, y in re.findall(r"([MLl])(-?[\d.]+) (-?[\d.]+)", path):
        dx, dy = at if command == "l" else (0.0, 0.0)
        at = (float(x) + dx, float(y) + dy)
        found.append(at)
    return found


def paths(chart: Chart | None, css: str) -> list[str]:
    assert chart is not None
    return [path for name, path in chart.paths if name == css]


def test_the_fitted_line_lies_on_the_spectrum_of_a_true_power_law():
    chart = spectrum(pareto(), None)
    curve = points(paths(chart, "now")[0])
    (x0, y0), (x1, y1) = points(paths(chart, "fit")[0])
    inside = [(x, y) for x, y in curve if x0 <= x <= x1]
    assert len(inside) > BINS / 2
    for x, y in inside:
        assert y0 + (x - x0) * (y1 - y0) / (x1 - x0) == pytest.approx(y, abs=1.5)


def test_everything_is_inside_the_frame():
    layer = pareto(bulk_max=4.0, traps=[{"lambda": 5000.0, "edge": 4.0, "entries": []}])
    chart = spectrum(layer, None)
    for css in ("now", "fit"):
        for x, y in points(paths(chart, css)[0]):
            assert LEFT <= x <= RIGHT
            assert TOP <= y <= BOTTOM


def test_an_empty_bin_breaks_the_line_and_a_lonely_one_is_a_dash():
    shares = [0.2, 0.2, 0.0, 0.3, 0.0, 0.3]
    histogram = {"lo": 1.0, "hi": 100.0, "density": shares, "twin": None}
    (path,) = paths(spectrum(pareto(spectrum=histogram), None), "now")
    assert path.count("M") == 3
    assert path.count("h2") == 2


def test_there_is_no_drawing_without_a_spectrum():
    assert spectrum(pareto(spectrum=None), None) is None


@pytest.mark.parametrize("undefined", ["alpha", "xmin", "num_pl_spikes"])
def test_no_tail_is_drawn_where_none_was_fitted(undefined):
    assert not paths(spectrum(pareto(**{undefined: None}), None), "fit")


def test_a_spectrum_of_a_single_value_can_be_drawn():
    histogram = {"lo": 3.0, "hi": 3.0, "density": [1.0], "twin": [1.0]}
    chart = spectrum(pareto(alpha=None, spectrum=histogram), None)
    assert paths(chart, "now")
    assert paths(chart, "twin")


def test_histograms_of_different_bins_have_one_scale():
    coarse = pareto()["spectrum"]
    merged = np.array(coarse["density"]).reshape(-1, 2).sum(axis=1)
    before = {"baseline": {"alpha": ALPHA}, "spectrum": {**coarse, "density": list(merged)}}
    chart = spectrum(pareto(), before)
    fine, wide = (points(paths(chart, css)[0]) for css in ("now", "was"))
    for (x0, y0), (x1, y1), (x, y) in zip(fine[::2], fine[1::2], wide, strict=True):
        assert x == pytest.approx((x0 + x1) / 2, abs=1.5)
        assert y == pytest.approx((y0 + y1) / 2, abs=2.5)


def test_the_sentence_says_what_is_drawn():
    document = factory.reviewed()
    layer = document["layers"][0]
    chart = spectrum(layer, document["comparison"]["layers"][0])
    assert chart is not None
    said = chart.label
    for part in ("fc1.weight", "256 eigenvalues", "α 1.50", "α was 3.10", "45.0"):
        assert part in said
    assert said.endswith(".")


@given(st.floats(-12, 12), st.floats(0.05, 10))
def test_ticks_are_inside_the_axis_in_order_and_few(lo, width):
    ticks = Axis(lo, lo + width, LEFT, RIGHT).ticks()
    at = [position for position, _ in ticks]
    assert at == sorted(at)
    assert all(LEFT <= position <= RIGHT for position in at)
    assert len(ticks) <= MOST_TICKS + 1
    assert len({text for _, text in ticks}) == len(ticks)


def test_few_eigenvalues_are_drawn_in_few_bins():
    few = len(points(paths(spectrum(pareto(num_evals=64), None), "now")[0]))
    many = len(points(paths(spectrum(pareto(num_evals=1000), None), "now")[0]))
    assert few <= 16 < many


def test_putting_bins_together_keeps_the_density():
    """A flat density stays flat at its height, whatever the number of bins."""
    flat = {"lo": 1.0, "hi": 100.0, "density": [1 / 64] * 64, "twin": None}
    heights = [
        {y for _, y in points(paths(spectrum(pareto(num_evals=n, spectrum=flat), None), "now")[0])}
        for n in (16, 4096)
    ]
    assert heights[0] == heights[1]
    assert len(heights[0]) == 1


@pytest.mark.parametrize(("zeros", "said"), [(0.0, None), (0.75, "750 of 1,000 eigenvalues")])
def test_eigenvalues_too_small_to_draw_are_counted(zeros, said):
    seen = [(1 - zeros) / 10] * 10
    chart = spectrum(pareto(spectrum={"lo": 1.0, "hi": 10.0, "density": seen, "twin": None}), None)
    assert chart is not None
    texts = [text.text for text in chart.texts if "smaller" in text.text]
    assert bool(texts) == bool(said)
    assert not said or said in texts[0]


def test_a_legend_explains_only_what_is_drawn():
    chart = spectrum(pareto(bulk_max=None), None)
    assert chart is not None
    assert chart.drawn == {"grid", "now", "fit", "xmin"}
