"""What every check must have, so that reports and policies can show it."""

import importlib
import inspect
import pkgutil

import pytest

from auditor import checks
from auditor.checks.base import name_of
from auditor.policy import LEVELS

FAMILIES = [i.name for i in pkgutil.iter_modules(checks.__path__) if i.name != "base"]


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


def test_the_presets_have_a_level_for_every_check():
    assert set(LEVELS) == set(checks.BY_NAME)
