"""What a policy file says, with where each thing is written, before it is a policy."""

from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from auditor import checks
from auditor.checks.base import Check, name_of
from auditor.policy import AnyRule, Policy, preset
from auditor.records import Level, Waiver

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold of a check that is not left as it ships."""

    check: str
    name: str
    value: Any
    source: str


@dataclass(frozen=True, slots=True)
class Written:
    """A waiver, and where it is written."""

    waiver: Waiver
    source: str


@dataclass(frozen=True, slots=True)
class Choice(Generic[T]):
    """One of the settings of a policy, and where it is written."""

    value: T
    source: str


@dataclass(frozen=True, slots=True)
class Said:
    """What a policy and all that it extends say, in the order in which it counts."""

    name: str
    rules: tuple[AnyRule, ...] = ()
    thresholds: tuple[Threshold, ...] = ()  # of the same one the last counts
    waivers: tuple[Written, ...] = ()
    baseline: Choice[Level] | None = None  # what a version without one amounts to
    retroactive: Choice[bool] | None = None  # whether a change judges history again

    def then(self, other: "Said") -> "Said":
        """What is said here, and over it what the other one says."""
        return replace(
            self,
            rules=self.rules + other.rules,
            thresholds=self.thresholds + other.thresholds,
            waivers=self.waivers + other.waivers,
            baseline=other.baseline or self.baseline,
            retroactive=other.retroactive or self.retroactive,
        )

    def policy(self, floor: Policy | None = None) -> Policy:
        """What it amounts to, on a floor."""
        baseline, retroactive = self.baseline, self.retroactive
        below = floor is not None and floor.retroactive
        return Policy(
            name=self.name,
            checks=tuple(self._check(found) for found in checks.ALL),
            rules=self.rules,
            baseline=baseline.value if baseline else Level.OFF,
            waivers=tuple(one.waiver for one in self.waivers),
            floor=floor,
            retroactive=below or (retroactive is not None and retroactive.value),
        )

    def changed(self) -> tuple[Threshold, ...]:
        """The thresholds that differ from those that ship, each once."""
        last = {(one.check, one.name): one for one in self.thresholds}
        return tuple(one for one in last.values() if one.value != shipped(one))

    def _check(self, found: type[Check]) -> Check:
        name = name_of(found)
        return found(**{one.name: one.value for one in self.thresholds if one.check == name})


def shipped(threshold: Threshold) -> Any:  # noqa: ANN401 - whatever a check's field holds
    """The value that a threshold has where no policy says anything."""
    return getattr(checks.BY_NAME[threshold.check](), threshold.name)


def of_preset(name: str) -> Said:
    """What a preset says."""
    found = preset(name)
    return Said(name, rules=found.rules, baseline=Choice(found.baseline, f"preset {name}"))
