"""Rules: which findings a policy looks at, how many it lets pass, and how grave the rest is.

Of the rules on one subject the last that fits a finding decides, as in ``.gitignore``: a
preset says what holds everywhere, and a later rule what is different for some models, kinds
of layers or names.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from auditor.naming import fits_model
from auditor.records import LayerRecord, Level
from auditor.spectral.kinds import role_of

ANY = "*"


class Of(StrEnum):
    """What of a metric a rule looks at."""

    LAYER = "layer"  # every layer's value
    MEAN = "mean"  # over the layers where it is defined; so are those below
    MEDIAN = "median"
    P5 = "p5"
    P95 = "p95"


class Bound(StrEnum):
    """Which side of the limit is too much."""

    MAX = "max"
    MIN = "min"
    MAX_INCREASE = "max_increase"  # since the baseline; so is the next
    MAX_DECREASE = "max_decrease"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What all rules say. Patterns are those of a shell, and case matters."""

    level: Level
    source: str = ""  # where it is written: "preset strict", "policy.yaml, line 12"
    model: str = ANY  # pattern of `VersionId.series`, "source:name", or of the name alone
    kind: str = ANY  # pattern of a layer's kind, or of its role: attention, mlp
    layer: str = ANY  # pattern of a layer's name

    @property
    def subject(self) -> str:
        """What it is about: rules on one subject take the place of each other."""
        raise NotImplementedError

    @property
    def is_of_all(self) -> bool:
        """Whether every finding on its subject is its own."""
        return self.kind == ANY and self.layer == ANY

    def is_for(self, series: str) -> bool:
        """Whether it holds for a model, given as ``source:name``."""
        return fits_model(series, self.model)

    def covers(self, layer: str, kind: str) -> bool:
        """Whether a layer is one of those it looks at."""
        kinds = (kind, role_of(layer))
        return fnmatchcase(layer, self.layer) and any(fnmatchcase(k, self.kind) for k in kinds)

    def fits(self, layer: str | None, kind: str) -> bool:
        """Whether a finding on its subject is its own: one about a layer, or about none."""
        return self.is_of_all or (layer is not None and self.covers(layer, kind))

    @property
    def where(self) -> str:
        """The layers it looks at, in words; empty for all."""
        kind = f" of kind {self.kind}" if self.kind != ANY else ""
        return kind + (f" named {self.layer}" if self.layer != ANY else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRule(Rule):
    """How many new, unwaived findings of a check are let pass."""

    check: str
    max: int = 0

    @property
    def subject(self) -> str:
        """The check."""
        return self.check


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRule(Rule):
    """A limit on a metric: of every layer, or of its summary over the layers.

    A value beyond it is a finding like those of checks: it has an origin and can be waived.
    """

    metric: str  # a column of the layers, or of their comparison with the baseline
    of: Of
    bound: Bound
    limit: float

    @property
    def check(self) -> str:
        """What stands for a check's name in its findings, and in waivers for them."""
        layers = "" if self.of == Of.LAYER else "".join(f":{p}" for p in (self.kind, self.layer))
        return f"{self.metric}:{self.of}:{self.bound}" + layers.removesuffix(":*:*")

    @property
    def subject(self) -> str:
        """Metric, summary and side; of a summary also the layers it is over."""
        return self.check

    @property
    def is_of_all(self) -> bool:
        """A summary is one number, and a finding about it belongs to no layer."""
        return self.of != Of.LAYER or (self.kind == ANY and self.layer == ANY)

    @property
    def is_relative(self) -> bool:
        """Whether it looks at what changed since the baseline."""
        return self.bound in {Bound.MAX_INCREASE, Bound.MAX_DECREASE}

    def is_beyond(self, value: float) -> bool:
        """Whether a value, or its change, is too much. An undefined one never is."""
        if self.bound == Bound.MIN:
            return value < self.limit
        if self.bound == Bound.MAX_DECREASE:
            return -value > self.limit
        return value > self.limit


AnyRule = CheckRule | MetricRule


def effective(rules: Sequence[AnyRule], series: str) -> tuple[AnyRule, ...]:
    """The rules that decide something for a model, in order.

    Left out are those for other models, and those that a later one on the same subject makes
    void, for it fits all that they fit.
    """
    found: list[AnyRule] = []
    for rule in rules:
        if rule.is_for(series):
            found = [old for old in found if not _replaces(rule, old)]
            found.append(rule)
    return tuple(found)


def _replaces(rule: AnyRule, old: AnyRule) -> bool:
    same_layers = (rule.kind, rule.layer) == (old.kind, old.layer)
    return rule.subject == old.subject and (rule.is_of_all or same_layers)


def deciding(
    rules: Sequence[AnyRule], subject: str, layer: str | None, kind: str
) -> AnyRule | None:
    """The last rule on a subject that fits a layer, or the version as a whole."""
    fitting = (r for r in reversed(rules) if r.subject == subject and r.fits(layer, kind))
    return next(fitting, None)


def kinds_of(layers: Sequence[LayerRecord]) -> dict[str, str]:
    """Kind of every layer by its name."""
    return {layer.name: layer.kind for layer in layers}
