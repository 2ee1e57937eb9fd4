"""What every check must have, so that reports and policies can show it."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

from auditor import checks
from auditor.checks.base import name_of, thresholds
from auditor.policy import LEVELS

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
    assert (check.__doc__ or "").endswith(".")
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
