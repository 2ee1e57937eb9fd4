"""Policies: a level for every check, the presets that ship, the waivers in force."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase
from hashlib import sha256

from auditor import checks
from auditor.checks.base import Check
from auditor.records import Level, Waiver

OFF, WARN, ERROR = Level.OFF, Level.WARN, Level.ERROR

PRESET_NAMES = ("observe", "recommended", "strict")
LEVELS: Mapping[str, tuple[Level, Level, Level]] = {  # one column per preset, in that order
    "non_finite": (WARN, ERROR, ERROR),
    "all_zero": (WARN, ERROR, ERROR),
    "unsafe_pickle": (WARN, ERROR, ERROR),
    "rank_collapse": (WARN, ERROR, ERROR),
    "scale_collapse": (WARN, ERROR, ERROR),
    "scale_explosion": (WARN, WARN, ERROR),
    "over_trained": (WARN, WARN, ERROR),
    "correlation_traps": (WARN, WARN, ERROR),
    "random_like": (WARN, WARN, ERROR),
    "under_trained": (OFF, OFF, WARN),
    "large_change": (OFF, OFF, WARN),
    "layers_changed": (OFF, OFF, WARN),
    "alpha_shift": (OFF, OFF, WARN),
    "implausible_power_law": (OFF, OFF, OFF),
    "custom_code": (OFF, OFF, OFF),  # a model with a class of its own is everyday
}


@dataclass(frozen=True, slots=True)
class Policy:
    """A level for every check, with the check's thresholds, and what is waived."""

    name: str
    checks: tuple[Check, ...] = field(default_factory=lambda: tuple(c() for c in checks.ALL))
    levels: Mapping[str, Level] = field(default_factory=dict)  # check name -> level; absent: off
    baseline: Level = OFF  # what a version without a baseline amounts to
    waivers: tuple[Waiver, ...] = ()  # expired ones may be among them

    def level(self, check: str) -> Level:
        """Level of a check by name."""
        return self.levels.get(check, OFF)

    def in_force(self, model: str, as_of: date) -> tuple[Waiver, ...]:
        """Waivers for a model (``source:name``) that hold on a day, their last day included."""
        return tuple(
            waiver
            for waiver in self.waivers
            if as_of <= waiver.expires and fnmatchcase(model, waiver.model)
        )

    def hash(self, model: str, as_of: date) -> str:
        """Differs between policies that could judge this model differently on this day.

        Only the waivers in force count. So it changes on the day after one expired, and no
        verdict that rested on that waiver is repeated; and it stays when a waiver for
        another model is added.
        """
        levels = sorted((name, str(level)) for name, level in self.levels.items())
        waivers = sorted(repr(waiver) for waiver in self.in_force(model, as_of))
        text = repr((levels, self.checks, str(self.baseline), checks.VERSION, waivers))
        return sha256(text.encode()).hexdigest()[:16]


def preset(name: str) -> Policy:
    """One of the policies that ship: ``observe``, ``recommended`` or ``strict``.

    Raises
    ------
    KeyError
        If there is no such preset.
    """
    if name not in PRESET_NAMES:
        raise KeyError(name)
    column = PRESET_NAMES.index(name)
    levels = {check: row[column] for check, row in LEVELS.items()}
    return Policy(name, levels=levels, baseline=WARN if name == "strict" else OFF)
