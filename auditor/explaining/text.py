"""A check or a metric in plain lines, for a terminal."""

from collections.abc import Iterator
from textwrap import wrap

from auditor.explaining import columns
from auditor.explaining.about import AboutCheck, AboutMetric, every_check, every_metric
from auditor.explaining.figures import Figures

WIDE = 88
INDENT = "  "
NO_FIGURES = "No figures yet."


def overview() -> Iterator[str]:
    """All checks and metrics, a line each."""
    found = every_check()
    width = max(len(one.name) for one in found)
    yield "Checks"
    yield from (f"{INDENT}{one.name:{width}}  {one.summary}" for one in found)
    yield ""
    yield "Metrics"
    known = every_metric()
    width = max(len(one.name) for one in known)
    yield from (f"{INDENT}{one.name:{width}}  {one.summary}" for one in known)


def lines(subject: AboutCheck | AboutMetric) -> Iterator[str]:
    """All that is known of one of them."""
    return _check(subject) if isinstance(subject, AboutCheck) else _metric(subject)


def _check(one: AboutCheck) -> Iterator[str]:
    yield f"{one.name} · {one.severity} · {one.summary}"
    yield from _section("What it means", f"{one.check.meaning} {one.detail}".strip())
    yield from _section("Why", one.check.theory)
    yield from (f"{INDENT}[{source}]" for source in one.check.sources)
    yield from _section("What to try", one.check.advice)
    if one.fields:
        yield from _section("Thresholds", "")
        for field in one.fields:
            unit = "" if field.unit == "1" else f" {field.unit}"
            yield f"{INDENT}{field.name}: {field.shown}{unit} · {field.does}"
    said = ", ".join(f"{preset} {level}" for preset, level in one.levels.items())
    yield from _section("Levels", said)
    yield from _section("How often it is right", "")
    yield from (f"{INDENT}{line}" for line in told(one.figures))
    yield from _section("In a policy file", "")
    yield from (f"{INDENT}{line}" for line in policy(one))
    if one.name in columns.names():
        yield from _section("The column of this name", columns.said_of(one.name))
    yield from _section("A waiver, for at most 180 days", "")
    yield from (f"{INDENT}{line}" for line in waiver(one.name))


def told(figures: Figures | None) -> Iterator[str]:
    """What the experiments say."""
    if figures is None:
        yield NO_FIGURES
        return
    yield f"{figures.trust[0].upper()}{figures.trust[1:]}."
    if figures.well_trained:
        yield f"well-trained networks, nothing wrong: found in {figures.well_trained}"
    yield from (f"{cause}: found in {rate}" for cause, rate in figures.causes.items())
    if figures.remark:
        yield figures.remark


def policy(one: AboutCheck) -> Iterator[str]:
    """The lines that set it."""
    said = "".join(f", {field.name}: {field.shown}" for field in one.fields)
    yield "checks:"
    yield f"  {one.name}: {{level: warn{said}}}"
    yield "rules:"
    yield f'  - {{check: {one.name}, level: error, max: 0, model: "prod-*"}}'


def waiver(check: str) -> Iterator[str]:
    """The lines that let one finding of it pass for a while."""
    yield "waivers:"
    yield f"  - check: {check}"
    yield '    model: "mlflow:digits"'
    yield '    layer: "fc1.*"        # left out for a finding on the version as a whole'
    yield "    reason: why it is no harm"
    yield "    owner: who answers for it"
    yield "    expires: its last day, such as 2026-12-31"


def _metric(one: AboutMetric) -> Iterator[str]:
    unit = "" if one.unit == "1" else f" · in {one.unit}"
    yield f"{one.name}{unit} · {one.summary}"
    rest = one.detail.partition("\n")[2].strip("\n")
    if rest:
        yield ""
        yield from rest.replace(".. math::", "").splitlines()
    yield from _section("Measured", columns.measured(one.name))
    yield from _section("Formula", f"{columns.page(one.name)}")
    if one.judged_by:
        yield from _section("Checks that need it", ", ".join(one.judged_by))
    yield from _section("A limit on it in a policy file", "")
    yield f"{INDENT}rules:"
    yield f"{INDENT}  - {{metric: {one.name}, of: median, level: warn, max_increase: 0.3}}"


def _section(title: str, text: str) -> Iterator[str]:
    yield ""
    yield title
    yield from wrap(
        text, WIDE, initial_indent=INDENT, subsequent_indent=INDENT, break_on_hyphens=False
    )
