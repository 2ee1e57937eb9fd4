"""What ``audit --dry-run`` prints."""

from typing import TYPE_CHECKING

from auditor.cli.common import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditor.config import Config
    from auditor.planning import Named, Plan

WIDTH = 10  # of the headings


def planned(ref: str, config: "Config", baseline: str | None, time_budget: float | None) -> "Plan":
    """The plan of an audit of what `ref` names; the machine is tried for 0.3 s.

    Raises
    ------
    UsageError, SourceError
        As `auditor.planning.plan`.
    """
    from auditor.app import space, terms
    from auditor.estimates import speed
    from auditor.executors.gpu import eigensolver
    from auditor.planning import plan
    from auditor.refs import find
    from auditor.wall.jobs import Job

    named = find(ref, config)
    given = named.source and config.baseline if baseline is None else baseline != "none"
    return plan(
        Job(named.files(), named.version.uri, terms(config, time_budget)),
        space(config),
        speed(eigensolver(config.limits.device)),
        pairs=bool(given),
    )


def shown(plan: "Plan") -> str:
    """A plan, a line each for what a person asks first."""
    lines = [printable(plan.uri)]
    lines += [f"  {heading:<{WIDTH}}{text}" for heading, text in _lines(plan)]
    return "\n".join(lines)


def _lines(plan: "Plan") -> "Iterator[tuple[str, str]]":
    from auditor.amounts import as_count, as_size

    files = f"{plan.files:,} weight file{'s' * (plan.files != 1)}, {as_size(plan.bytes)}"
    yield "files", f"{files}; largest {_few(plan.largest_files)}"
    matrices = f"{plan.matrices:,} of them matrices with {as_count(plan.parameters)} parameters"
    yield "tensors", f"{plan.tensors:,}, {matrices}"
    yield "to fetch", f"{_fetched(plan)}: {plan.reason}"
    if plan.mode != "local":
        yield "disk", as_size(plan.disk)
    together = f"{plan.at_once} layer{'s' * (plan.at_once != 1)} at once"
    beside = ", each beside its baseline" if plan.pairs else ""
    limit = f"limits.memory is {as_size(plan.memory_limit)}"
    yield "memory", f"{as_size(plan.memory)} at the peak, {together}{beside}; {limit}"
    if plan.largest_layers:
        yield "", f"largest {_few(plan.largest_layers)}"
    yield from _left_out(plan)
    yield "time", _time(plan)


def _fetched(plan: "Plan") -> str:
    from auditor.amounts import as_size

    if plan.mode == "local":
        return "nothing"
    return f"{as_size(plan.fetched)} " + ("in parts" if plan.mode == "ranges" else "whole")


def _left_out(plan: "Plan") -> "Iterator[tuple[str, str]]":
    from auditor.amounts import as_size

    for layer in plan.too_large:
        need = f"needs {as_size(layer.bytes)}, more than limits.memory; raise it"
        yield "left out", f"{printable(layer.name, 100)} {need}"
    for failure in plan.failures:
        yield "unread", printable(failure)


def _time(plan: "Plan") -> str:
    from auditor.amounts import as_time

    about = f"about {as_time(plan.seconds)} on this machine, an estimate"
    if plan.mode != "local":
        about += ", without the transfer"
    if plan.time_budget is None:
        return about
    return f"{about}; {plan.coverage:.1%} of the parameters in that time"


def _few(found: "Sequence[Named]") -> str:
    """The first three with their sizes."""
    from auditor.amounts import as_size

    return ", ".join(f"{printable(one.name, 100)} {as_size(one.bytes)}" for one in found[:3])
