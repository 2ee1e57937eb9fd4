"""Names as subjects: a check, or a column of the layers."""

import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any

from auditor import checks
from auditor.checks.base import Check, name_of, thresholds
from auditor.errors import UsageError
from auditor.explaining import columns
from auditor.explaining.figures import Figures, calibration
from auditor.policies.words import ALIASES
from auditor.policy import LEVELS, PRESET_NAMES


@dataclass(frozen=True, slots=True)
class Field:
    """A threshold of a check."""

    name: str
    default: object
    unit: str
    does: str

    @property
    def shown(self) -> str:
        """The default as a policy file has it."""
        if isinstance(self.default, tuple):
            return json.dumps(self.default, ensure_ascii=False)
        return f"{self.default:g}" if isinstance(self.default, float) else str(self.default)


@dataclass(frozen=True, slots=True)
class AboutCheck:
    """All that is known of a check."""

    check: type[Check]
    figures: Figures | None

    @property
    def name(self) -> str:
        """Key in policies, waivers and reports."""
        return name_of(self.check)

    @property
    def summary(self) -> str:
        """One sentence: what it finds."""
        return _first_line(self.check)

    @property
    def detail(self) -> str:
        """What it does exactly, where there is more to say than the thresholds do."""
        _, _, rest = (inspect.getdoc(self.check) or "").partition("\n")
        return " ".join(rest.replace("`", "").split())

    @property
    def severity(self) -> str:
        """The gravest that it finds."""
        return self.check.severity.name.lower()

    @property
    def fields(self) -> tuple[Field, ...]:
        """Its thresholds."""
        said = thresholds(self.check)
        return tuple(
            Field(one.name, one.default, said[one.name].unit, said[one.name].does)
            for one in fields(self.check)  # type: ignore[arg-type]  # a dataclass
        )

    @property
    def levels(self) -> Mapping[str, str]:
        """Its level in every preset."""
        pairs = zip(PRESET_NAMES, LEVELS[self.name], strict=True)
        return {preset: str(level) for preset, level in pairs}

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        return {
            "kind": "check",
            "name": self.name,
            "summary": self.summary,
            "severity": self.severity,
            "condition": self.check.condition,
            "meaning": self.check.meaning,
            "advice": self.check.advice,
            "theory": self.check.theory,
            "sources": list(self.check.sources),
            "needs": self.check.needs or None,
            "thresholds": {
                one.name: {"default": one.default, "unit": one.unit, "does": one.does}
                for one in self.fields
            },
            "levels": dict(self.levels),
            "calibration": self.figures.model_dump() if self.figures else None,
        }


@dataclass(frozen=True, slots=True)
class AboutMetric:
    """All that is known of a column."""

    name: str

    @property
    def summary(self) -> str:
        """One sentence."""
        return self.detail.partition("\n")[0]

    @property
    def detail(self) -> str:
        """All that it says of itself, over several lines."""
        return columns.said_of(self.name)

    @property
    def unit(self) -> str:
        """``1`` for a plain number."""
        metric = columns.BY_NAME.get(self.name)
        return metric.unit if metric else "1"

    @property
    def judged_by(self) -> tuple[str, ...]:
        """Checks that find nothing without it."""
        return tuple(name for name, check in checks.BY_NAME.items() if check.needs == self.name)

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        return {
            "kind": "metric",
            "name": self.name,
            "summary": self.summary,
            "detail": self.detail,
            "unit": self.unit,
            "measured": columns.measured(self.name),
            "page": columns.page(self.name),
            "judged_by": list(self.judged_by),
        }


def about(name: str) -> AboutCheck | AboutMetric:
    """The check or column of a name; a limit on a metric, as findings name it, is its metric.

    Raises
    ------
    UsageError
        If there is neither; it names the nearest of what there is.
    """
    metric = name.partition(":")[0]
    metric = ALIASES.get(metric, metric)
    if name in checks.BY_NAME:
        return _about_check(checks.BY_NAME[name])
    if metric in columns.names():
        return AboutMetric(metric)
    near = get_close_matches(name, (*checks.BY_NAME, *columns.names()), n=3)
    guess = f"; did you mean {' or '.join(dict.fromkeys(near))}?" if near else ";"
    raise UsageError(
        f"explain {name[:80]}: no such check or metric{guess} auditor explain lists them all"
    )


def every_check() -> tuple[AboutCheck, ...]:
    """All checks, in the order in which they are made."""
    return tuple(_about_check(check) for check in checks.ALL)


def every_metric() -> tuple[AboutMetric, ...]:
    """All columns."""
    return tuple(AboutMetric(name) for name in columns.names())


def _about_check(check: type[Check]) -> AboutCheck:
    return AboutCheck(check, calibration().checks.get(name_of(check)))


def _first_line(check: type[Check]) -> str:
    return (inspect.getdoc(check) or "").partition("\n")[0]
