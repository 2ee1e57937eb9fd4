"""What explains a policy as lines on a screen."""

from collections.abc import Iterator, Sequence

from auditor.policies.explaining import Decides, Explanation, Part, let_pass
from auditor.policies.said import Threshold, shipped
from auditor.policies.standing import Standing
from auditor.policy import CheckRule
from auditor.records import Level

AMOUNTS_TO = {Level.OFF: "nothing", Level.WARN: "REVIEW", Level.ERROR: "BLOCK"}


def lines(found: Explanation) -> Iterator[str]:
    """The screen, line by line; names in it are as they came."""
    for part in found.parts:
        if part.is_floor:
            yield ""
            yield f"floor {part.name}: a version has to pass it, too"
        else:
            yield f"policy {part.name}, for {found.model} on {found.day:%Y-%m-%d}"
        yield from _part(part)


def of_waivers(stood: Sequence[Standing]) -> Iterator[str]:
    """A waiver in two lines each."""
    for one in stood:
        waiver = one.written.waiver
        where = f" in {waiver.layer}" if waiver.layer else ""
        yield f"{waiver.check} of {waiver.model}{where}: {one.sentence}"
        yield f"  {waiver.owner}: {waiver.reason} ({one.policy}: {one.written.source})"


def _part(part: Part) -> Iterator[str]:
    if part.baseline:
        amounts = AMOUNTS_TO[part.baseline.value]
        yield f"  a version without a baseline amounts to {amounts} ({part.baseline.source})"
    if part.retroactive and part.retroactive.value:
        yield f"  a change of it judges all of history again ({part.retroactive.source})"
    changed = {
        one.check: [t for t in part.thresholds if t.check == one.check] for one in part.thresholds
    }
    for decides in part.rules:
        yield from _rule(decides, changed)
    if part.waivers:
        yield "  waivers"
        yield from (f"    {line}" for line in of_waivers(part.waivers))


def _rule(one: Decides, changed: dict[str, list[Threshold]]) -> Iterator[str]:
    rule = one.rule
    yield f"  {rule.level:<5}  {rule.check}: {one.sentence} ({rule.source})"
    for old in one.overrode:
        other = rule.level == old.level and let_pass(old) != let_pass(rule)
        before = let_pass(old) if other else str(old.level)
        yield f"           before: {before} ({old.source})"
    if isinstance(rule, CheckRule):
        for threshold in changed.get(rule.check, []):
            instead = f"{threshold.value} in the place of {shipped(threshold)}"
            yield f"           {threshold.name}: {instead} ({threshold.source})"
