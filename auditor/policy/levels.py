"""Policies: a level for every check, the presets that ship, the waivers in force."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from fnmatch import fnmatchcase
from hashlib import sha256

from auditor import checks
from auditor.checks.base import Check
from auditor.policy.rules import AnyRule, CheckRule, effective
from auditor.records import Level, Waiver

OFF, WARN, ERROR = Level.OFF, Level.WARN, Level.ERROR
GRAVITY = (OFF, WARN, ERROR)

PRESET_NAMES = ("observe", "recommended", "strict")
LEVELS: Mapping[str, tuple[Level, Level, Level]] = {  # one column per preset, in that order
    "non_finite": (WARN, ERROR, ERROR),
    "all_zero": (WARN, ERROR, ERROR),
    "constant": (WARN, ERROR, ERROR),
    "unsafe_pickle": (WARN, ERROR, ERROR),
    "rank_collapse": (WARN, ERROR, ERROR),
    "scale_collapse": (WARN, ERROR, ERROR),
    "scale_explosion": (WARN, WARN, ERROR),
    "over_trained": (WARN, WARN, ERROR),
    "correlation_traps": (WARN, WARN, ERROR),
    "random_like": (WARN, WARN, ERROR),
    "duplicate_layers": (OFF, WARN, WARN),
    "dead_rows": (OFF, OFF, WARN),
    "under_trained": (OFF, OFF, OFF),  # it tells nothing apart: docs/evidence.md
    "large_change": (OFF, OFF, WARN),
    "layers_changed": (OFF, OFF, WARN),
    "shape_changed": (OFF, OFF, WARN),
    "dtype_changed": (OFF, OFF, WARN),
    "no_change": (OFF, OFF, WARN),
    "alpha_shift": (OFF, OFF, WARN),
    "spike_count_change": (OFF, OFF, WARN),
    "alpha_spikes": (OFF, OFF, OFF),  # it tells nothing apart
    "correlation_flow": (OFF, OFF, OFF),  # an observation on published models, and no law
    "share_out_of_range": (OFF, OFF, WARN),
    "median_shift": (OFF, OFF, WARN),
    "alpha_distribution": (OFF, OFF, OFF),  # of shape; a common shift is median_shift
    "unusual_distance": (OFF, OFF, WARN),
    "outside_profile": (OFF, OFF, WARN),  # unusual; who builds a profile knows how much so
    "implausible_power_law": (OFF, OFF, OFF),
    "unverified_bytes": (OFF, OFF, WARN),
    "frozen_layers": (OFF, OFF, OFF),
    "custom_code": (OFF, OFF, OFF),  # a model with a class of its own is everyday
}


@dataclass(frozen=True, slots=True)
class Policy:
    """What is looked for, how grave it is, how much of it is let pass, and what is waived.

    A version has to pass the policy and its `floor`, each by its own rules, thresholds and
    waivers: so a floor can be tightened, and nothing of it can be let off from below.
    """

    name: str
    checks: tuple[Check, ...] = field(default_factory=lambda: tuple(c() for c in checks.ALL))
    rules: tuple[AnyRule, ...] = ()  # of those on one subject the last that fits decides
    baseline: Level = OFF  # what a version without a baseline amounts to
    waivers: tuple[Waiver, ...] = ()  # expired ones may be among them
    floor: "Policy | None" = None  # an organisation's, for every project
    retroactive: bool = False  # whether a change of the policy judges all of history again

    @property
    def parts(self) -> tuple["Policy", ...]:
        """The policy, and the floor under it."""
        return (self, *self.floor.parts) if self.floor else (self,)

    def level(self, check: str, model: str = "") -> Level:
        """Gravest level that a check may have somewhere in a model (``source:name``)."""
        found = [
            rule.level
            for part in self.parts
            for rule in effective(part.rules, model)
            if rule.check == check
        ]
        return max(found, key=GRAVITY.index, default=OFF)

    def in_force(self, model: str, as_of: date) -> tuple[Waiver, ...]:
        """Own waivers for a model (``source:name``) that hold on a day, the last included."""
        return tuple(
            waiver
            for waiver in self.waivers
            if as_of <= waiver.expires and fnmatchcase(model, waiver.model)
        )

    def hash(self, model: str, as_of: date) -> str:
        """Differs between policies that could judge this model differently on this day.

        Only the rules for the model and the waivers in force count. So it changes on the day
        after one expired, and no verdict that rested on that waiver is repeated; and it stays
        when a waiver or a rule for another model is added, or a rule moves to another line.
        """
        rules = [replace(rule, source="", model="") for rule in effective(self.rules, model)]
        waivers = sorted(repr(waiver) for waiver in self.in_force(model, as_of))
        floor = self.floor.hash(model, as_of) if self.floor else ""
        said = (rules, self.checks, str(self.baseline), checks.VERSION, waivers, floor)
        return sha256(repr(said).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def preset(name: str) -> Policy:
    """One of the policies that ship: ``observe``, ``recommended`` or ``strict``.

    Raises
    ------
    KeyError
        If there is no such preset.
    """
    if name not in PRESET_NAMES:
        raise KeyError(name)
    column, source = PRESET_NAMES.index(name), f"preset {name}"
    rules = tuple(
        CheckRule(check=check, level=row[column], source=source) for check, row in LEVELS.items()
    )
    return Policy(name, rules=rules, baseline=WARN if name == "strict" else OFF)
