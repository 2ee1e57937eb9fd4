"""What the configured analysis leaves out of what a policy looks at."""

from collections.abc import Iterator, Sequence

from auditor import changes, checks, metrics
from auditor.config.options import Options
from auditor.policies.words import OF_CHANGES
from auditor.policy import AnyRule, MetricRule
from auditor.records import Level

SWITCHES = tuple(  # options that add columns where they are true
    name for name, field in Options.model_fields.items() if isinstance(field.default, bool)
)


def unmeasured(rules: Sequence[AnyRule], options: Options) -> Iterator[str]:
    """A sentence for each thing that rules look at and nobody measures.

    Such a rule finds nothing; in the gate it has no number, and the verdict says that it was
    not looked for.
    """
    looked_at = dict.fromkeys(_column(rule) for rule in rules if rule.level != Level.OFF)
    for column in looked_at:
        if column and column not in _columns(options):
            remedy = _remedy(column, options)
            yield f"{column} is not measured by the configured analysis{remedy}"


def loosened(options: Options) -> Iterator[str]:
    """A sentence for each option by which layers or findings could be kept out of sight.

    Options that add columns are not among them.
    """
    usual = Options()
    for name in Options.model_fields:
        given, shipped = getattr(options, name), getattr(usual, name)
        if given != shipped and not (name in SWITCHES and given):
            found = f"analysis.{name} is {_shown(given)}"
            yield f"{found}: expected {_shown(shipped)}, with which a floor is held for sure"


def _shown(value: object) -> str:
    """A value as the configuration has it."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(list(value)) if isinstance(value, tuple) else str(value)


def _column(rule: AnyRule) -> str:
    """The column without which a rule finds nothing; empty for none."""
    if isinstance(rule, MetricRule):
        return rule.metric
    return checks.BY_NAME[rule.check].needs


def _columns(options: Options) -> set[str]:
    """All that is measured of layers, and of their change."""
    of_layers = {metric.name for metric in metrics.columns(options.settings)}
    costly = () if options.more_distances else changes.MORE
    return of_layers | (set(OF_CHANGES) - set(costly))


def _remedy(column: str, options: Options) -> str:
    for name in SWITCHES:
        other = options.model_copy(update={name: True})
        if column in _columns(other):
            return f"; analysis.{name}: true adds it"
    return ""
