"""What every check must have, so that reports and policies can show it."""

import importlib
import inspect
import math
import pkgutil
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor import checks
from auditor.checks.base import Case, name_of, thresholds
from auditor.policy import LEVELS
from auditor.records import Trend
from tests.render.factory import CREATED, compared, layer, version

ROOT = Path(__file__).parents[2]
NO_FAMILY = {"base", "peers"}
FAMILIES = [i.name for i in pkgutil.iter_modules(checks.__path__) if i.name not in NO_FAMILY]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_check_is_in_its_table(family):
    module = importlib.import_module(f"auditor.checks.{family}")
    written = {
        value
        for value in vars(module).values()
        if inspect.isclass(value)
        and value.__module__ == module.__name__
        and not value.__name__.startswith("_")
    }
    assert written == set(module.CHECKS)
    assert written <= set(checks.ALL)


@pytest.mark.parametrize("check", checks.ALL, ids=name_of)
def test_is_explained(check):
    assert check.condition
    assert len(check.meaning.split(". ")) == 2, "two sentences"
    assert check.advice.endswith(".")
    assert (inspect.getdoc(check) or "").endswith(".")
    assert len(re.findall(r"\.(?: |$)", check.theory)) >= 2, "two or three sentences"


@pytest.mark.parametrize("check", checks.ALL, ids=name_of)
def test_its_theory_rests_on_something(check):
    assert check.sources
    for source in check.sources:
        assert (ROOT / source).exists() or not source.startswith("docs/"), source


@pytest.mark.parametrize("check", checks.ALL, ids=name_of)
def test_every_threshold_says_what_it_does(check):
    for name, threshold in thresholds(check).items():
        assert len(threshold.does.split()) > 1, name


def test_the_presets_have_a_level_for_every_check():
    assert set(LEVELS) == set(checks.BY_NAME)


ANY = layer("any")
ODD = st.sampled_from([math.nan, 0.0, 1.0, 3.0, 40.0, 300.0, 1e-300])
COLUMNS = st.dictionaries(st.sampled_from(sorted(ANY.metrics)), ODD, max_size=6)


def model(odd):
    """A layer for each of these changes to the numbers of a healthy one."""
    return [
        replace(
            ANY,
            name=f"h.{i}.w",
            index=i,
            measured=replace(ANY.measured, metrics={**ANY.metrics, **changed}),
        )
        for i, changed in enumerate(odd)
    ]


@given(st.lists(COLUMNS, max_size=12), st.lists(COLUMNS, max_size=12), st.lists(ODD, max_size=7))
@settings(max_examples=50, deadline=None)
def test_no_check_stumbles_over_undefined_or_extreme_numbers(now, then, distances):
    """With any baseline and history."""
    layers, before = model(now), model(then)
    comparison = compared(layers, {one.name: one for one in before}, version(number="1"))
    trend = [Trend(str(i), CREATED, "PASS", 3.0, 1.0, far, 0) for i, far in enumerate(distances)]
    for finding in checks.examine(
        Case(layers, comparison=comparison, history=trend), [check() for check in checks.ALL]
    ):
        assert finding.message
        assert finding.limit is None or math.isfinite(finding.limit)
