"""``docs/metrics.md`` against the tables of metrics."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from auditor import metrics
from auditor.records import Settings

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
HEAD = ("column", "formula", "unit", "undefined", "source")
ALWAYS = Settings(bootstrap=0, mp_fit=False, randomize=False)
WITH = {  # what a section says, and the settings that have its columns beside those of ALWAYS
    "Always": ALWAYS,
    "With `intervals`": replace(ALWAYS, bootstrap=100),
    "With `goodness_of_fit`": replace(ALWAYS, goodness_of_fit=True),
    "With `fit` of `TPL`": replace(ALWAYS, fit="TPL"),
    "With `fix_fingers` of `clip_xmax`": replace(ALWAYS, fix_fingers="clip_xmax"),
    "With `mp_fit`": replace(ALWAYS, mp_fit=True),
    "With `randomize`": replace(ALWAYS, randomize=True),
    "With `detX`": replace(ALWAYS, detX=True),
    "With `vectors`": replace(ALWAYS, vectors=True),
    "With `cumulants`": replace(ALWAYS, cumulants=True),
}


def sections() -> Iterator[tuple[str, list[list[str]]]]:
    """What stands below each heading, and the rows of the table of columns there."""
    for part in re.split(r"^## .+\n", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        lines = [line for line in part.splitlines() if line.startswith("|")]
        cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        if cells:
            assert tuple(cells[0]) == HEAD
            yield part.strip(), cells[2:]


def spread(name: str) -> list[str]:
    """``{a,b}_c`` is a_c and b_c."""
    found = re.search(r"\{([^}]*)\}", name)
    if found is None:
        return [name]
    choices = found[1].split(",")
    return [full for choice in choices for full in spread(name.replace(found[0], choice, 1))]


def rows() -> dict[str, list[str]]:
    """Cells by column name."""
    listed = [
        (name, cells)
        for _, table in sections()
        for first, *cells in table
        for name in spread(first.strip("`"))
    ]
    assert len(listed) == len(dict(listed))
    return dict(listed)


def test_lists_every_column_and_no_other():
    assert rows().keys() == {metric.name for metric in metrics.ALL}


@pytest.mark.parametrize("metric", metrics.ALL, ids=lambda m: m.name)
def test_gives_every_column_its_unit(metric):
    formula, unit, undefined, _ = rows()[metric.name]
    assert unit == metric.unit
    assert formula
    assert undefined


def test_says_when_a_column_is_there():
    before = {metric.name for metric in metrics.columns(ALWAYS)}
    for said, table in sections():
        option = max((words for words in WITH if said.startswith(words)), key=len)
        theirs = "in the convention `weightwatcher` only" in said
        settings = replace(WITH[option], convention="weightwatcher" if theirs else "auditor")
        there = {metric.name for metric in metrics.columns(settings)}
        names = {name for first, *_ in table for name in spread(first.strip("`"))}
        assert names <= there
        assert names <= before or not names & before


def test_names_no_source_that_is_not_listed():
    text = PAGE.read_text(encoding="utf-8")
    listed = set(re.findall(r"^(\d+)\. ", text, re.MULTILINE))
    named = set(re.findall(r"\[(\d+)\]", text))
    assert named == listed
