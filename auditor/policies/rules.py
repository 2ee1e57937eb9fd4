"""The rules in a policy file: ``rules:``, a list, each about a check or about a metric."""

from collections.abc import Sequence

from pydantic import Field, ValidationError, model_validator

from auditor.plugins.place import Place, problems, unknown
from auditor.policies.words import (
    OF_LAYERS,
    CheckName,
    Count,
    Entry,
    GivenLevel,
    GivenOf,
    Kind,
    MetricName,
    Number,
    Pattern,
    Rise,
)
from auditor.policy import AnyRule, Bound, CheckRule, MetricRule

MOST_RULES = 500  # of a policy, with all that it extends; each is held against each
SINCE = (Bound.MAX_INCREASE, Bound.MAX_DECREASE)


class _Given(Entry):
    """What rules of both kinds say."""

    level: GivenLevel = Field(description="What follows where it fails: error blocks, warn asks.")
    model: Pattern = Field(
        default="*", description="Pattern of models, as source:name or by name alone."
    )
    kind: Kind = Field(
        default="*", description="Pattern of a layer's kind, or of its role: attention, mlp."
    )
    layer: Pattern = Field(default="*", description="Pattern of layers' names.")

    def where(self) -> dict[str, str]:
        """The patterns."""
        return {"model": self.model, "kind": self.kind, "layer": self.layer}


class GivenCheckRule(_Given):
    """How many new, unwaived findings of a check are let pass."""

    check: CheckName = Field(description="Name of a check.")
    max: Count = Field(default=0, description="Findings that are let pass.")

    def rule(self, source: str) -> CheckRule:
        """As the gate has it."""
        return CheckRule(
            check=self.check, max=self.max, level=self.level, source=source, **self.where()
        )


class GivenMetricRule(_Given):
    """A limit on a metric, one of the four."""

    metric: MetricName = Field(description="A column of the layers, or of their comparison.")
    of: GivenOf = Field(description="Every layer's value, or a summary over the layers.")
    max: Number | None = Field(default=None, description="Largest value let pass.")
    min: Number | None = Field(default=None, description="Smallest value let pass.")
    max_increase: Rise | None = Field(default=None, description="Largest rise since the baseline.")
    max_decrease: Rise | None = Field(default=None, description="Largest fall since the baseline.")

    @model_validator(mode="after")
    def _one_limit(self) -> "GivenMetricRule":
        given = [bound for bound in Bound if getattr(self, bound) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "no limit"
            raise ValueError(f"found {found}: expected one of {', '.join(Bound)}")
        if given[0] in SINCE and self.metric not in OF_LAYERS:
            raise ValueError(
                f"found {given[0]} of {self.metric}, which is a change already: expected max or min"
            )
        return self

    def rule(self, source: str) -> MetricRule:
        """As the gate has it."""
        limits = {bound: getattr(self, bound) for bound in Bound}
        bound, limit = next(one for one in limits.items() if one[1] is not None)
        return MetricRule(
            metric=self.metric,
            of=self.of,
            bound=bound,
            limit=limit,
            level=self.level,
            source=source,
            **self.where(),
        )


def rules(given: object, place: Place, source: str, wrong: list[str]) -> Sequence[AnyRule]:
    """Those that fit; what is wrong with the others is noted.

    Parameters
    ----------
    given
        What stands under ``rules:``; None where nothing does.
    place
        Where it stands.
    source
        The file as people see it.
    wrong
        Gets a line for each problem.
    """
    if given is None:
        return ()
    if not isinstance(given, list):
        wrong.append(place.problem(f"found {place.shown(given)}: expected a list of rules"))
        return ()
    found = (_rule(one, place.inside(i), source, wrong) for i, one in enumerate(given))
    return [rule for rule in found if rule is not None]


def _rule(given: object, place: Place, source: str, wrong: list[str]) -> AnyRule | None:
    if not isinstance(given, dict) or ("check" in given) == ("metric" in given):
        wrong.append(place.problem(f"found {place.shown(given)}: expected a check: or a metric:"))
        return None
    form = GivenCheckRule if "check" in given else GivenMetricRule
    fits = form.model_fields
    wrong += [place.inside(key).problem(unknown(key, fits)) for key in given if key not in fits]
    try:
        return form.model_validate(given).rule(f"{source}, line {place.line}")
    except ValidationError as error:
        wrong.extend(problems(error, place))
        return None
