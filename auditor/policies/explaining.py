"""Which rules decide for a model, where they are written, and what they took the place of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase

from auditor import checks
from auditor.policies.said import Choice, Said, Threshold
from auditor.policies.standing import Standing, standing
from auditor.policy import AnyRule, Bound, CheckRule, MetricRule, Of, effective
from auditor.policy.limits import condition
from auditor.records import Level

BY_GRAVITY = (Level.ERROR, Level.WARN, Level.OFF)


@dataclass(frozen=True, slots=True)
class Decides:
    """A rule that decides for a model, and those it took the place of."""

    rule: AnyRule
    overrode: tuple[AnyRule, ...]

    @property
    def sentence(self) -> str:
        """What it asks, in words."""
        if self.rule.level == Level.OFF:
            return f"{asked(self.rule)}: listed as information"
        return f"{asked(self.rule)}: {let_pass(self.rule)}"


@dataclass(frozen=True, slots=True)
class Part:
    """A policy or a floor under it, as it holds for a model."""

    name: str
    is_floor: bool
    baseline: Choice[Level] | None
    retroactive: Choice[bool] | None
    rules: tuple[Decides, ...]  # the gravest first
    thresholds: tuple[Threshold, ...]  # that are not as they ship
    waivers: tuple[Standing, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything by which the versions of a model are judged on a day."""

    model: str
    day: date
    parts: tuple[Part, ...]  # a version has to pass each of them


def explain(layers: Sequence[Said], model: str, today: date) -> Explanation:
    """What holds for a model.

    Parameters
    ----------
    layers
        The policy, and the floors under it.
    model
        As ``source:name``.
    today
        The day, in UTC.
    """
    parts = (_part(said, i > 0, model, today) for i, said in enumerate(layers))
    return Explanation(model, today, tuple(parts))


def asked(rule: AnyRule) -> str:
    """What a rule looks at: the name of its row in the gate."""
    if isinstance(rule, MetricRule):
        return condition(rule)
    return checks.BY_NAME[rule.check].condition + rule.where


def let_pass(rule: AnyRule) -> str:
    """How much of it a rule lets pass, in words."""
    if isinstance(rule, CheckRule):
        return f"at most {rule.max} may be new" if rule.max else "none may be new"
    if rule.of == Of.LAYER:
        return "none may be new"
    return f"at {'least' if rule.bound == Bound.MIN else 'most'} {rule.limit:g}"


def _part(said: Said, is_floor: bool, model: str, today: date) -> Part:  # noqa: FBT001
    deciding = effective(said.rules, model)
    ruled = [
        Decides(rule, tuple(_overrode(rule, said.rules, deciding, model))) for rule in deciding
    ]
    stood = standing([said], today)
    return Part(
        name=said.name,
        is_floor=is_floor,
        baseline=said.baseline,
        retroactive=said.retroactive,
        rules=tuple(sorted(ruled, key=lambda one: BY_GRAVITY.index(one.rule.level))),
        thresholds=said.changed(),
        waivers=tuple(w for w in stood if fnmatchcase(model, w.written.waiver.model)),
    )


def _overrode(
    rule: AnyRule, rules: Sequence[AnyRule], deciding: Sequence[AnyRule], model: str
) -> Iterator[AnyRule]:
    """Earlier rules that this one took the place of, the last one first."""
    kept = {id(one) for one in deciding}
    place = next(i for i, one in enumerate(rules) if one is rule)
    for old in reversed(rules[:place]):
        if id(old) not in kept and old.is_for(model) and effective((old, rule), model) == (rule,):
            yield old
