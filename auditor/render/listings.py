"""Plain tables: what is not in the table of layers, so that nothing is left out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from auditor import metrics
from auditor.document import Document
from auditor.render.layers import shape
from auditor.render.text import count, number, size

MEANING = {metric.name: metric for metric in metrics.ALL}


@dataclass(frozen=True, slots=True)
class Listing:
    """A plain table; the first cell of a row names it."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def refused(document: Document) -> Iterator[Listing]:
    """Files that could not be read, and what pickles ask for."""
    weights = document["weights"]
    failures = tuple(_failure(failure) for failure in weights["failures"])
    if failures:
        title = count(len(failures), "file") + " that cannot be read"
        yield Listing(title, ("File", "Reason", "Remark"), failures)
    names = tuple(_global(found) for found in weights["globals"])
    if names:
        title = count(len(names), "name") + " in pickles; nothing was imported or run here"
        yield Listing(title, ("File", "Asks to import", "Remark"), names)


def _failure(failure: Mapping[str, Any]) -> tuple[str, str, str]:
    remark = "names code that no weight file needs" if failure["dangerous"] else ""
    return failure["name"], failure["reason"], remark


def _global(found: Mapping[str, Any]) -> tuple[str, str, str]:
    remark = "can run code or reach out" if found["dangerous"] else "nothing known against it"
    return found["file"], found["name"], remark


def beside(document: Document) -> Iterator[Listing]:
    """Averages, tensors without a spectrum, layers without a counterpart."""
    if document["summary"]:
        heads = ("Metric", "Mean", "Median", "5 %", "95 %", "Layers", "Meaning")
        rows = tuple(_averages(document["summary"]))
        yield Listing("Metrics: their averages over the layers, and what they mean", heads, rows)
    skipped = tuple((s["name"], shape(s["shape"]), s["reason"]) for s in document["skipped"])
    if skipped:
        title = count(len(skipped), "tensor") + " without a spectrum"
        yield Listing(title, ("Tensor", "Shape", "Reason"), skipped)
    unmatched = tuple(_unmatched(document["comparison"]))
    if unmatched:
        title = count(len(unmatched), "layer") + " renamed or without a counterpart"
        yield Listing(title, ("Layer", "What happened"), unmatched)


def _averages(summary: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, of in summary.items():
        values = (number(of[key], 4) for key in ("mean", "median", "p5", "p95"))
        meaning = MEANING[name].summary if name in MEANING else ""
        yield (name, *values, f"{of['n']:,}", meaning)


def _unmatched(comparison: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    if comparison is None:
        return
    yield from ((name, "only in this version") for name in comparison["added"])
    yield from ((name, "only in the baseline") for name in comparison["removed"])
    yield from ((new, f"was {old}") for old, new in comparison["renamed"])


def files(document: Document) -> Listing:
    """The weight files with their digests."""
    rows = tuple(
        (file["name"], size(file["size"]), file["sha256"], "yes" if file["verified"] else "no")
        for file in document["weights"]["files"]
    )
    return Listing(count(len(rows), "weight file"), ("File", "Size", "SHA-256", "Verified"), rows)
