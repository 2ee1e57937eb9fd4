"""A story as plain rows: for data frames, CSV and JSON."""

from collections.abc import Mapping
from typing import Any

from auditor.document import number
from auditor.story import Cost, Group, Move, Story
from auditor.story.lineup import Standing


def of_move(move: Move) -> dict[str, Any]:
    """The row of a layer; undefined numbers are nan."""
    before, after = move.before, move.after
    return {
        "name": after.name,
        "before": before.name,
        "kind": after.kind,
        "part": move.part,
        "block": after.block,
        "shape": after.shape,
        "N": after.measured.n,
        "M": after.measured.m,
        "dtype_before": before.dtype,
        "dtype": after.dtype,
        "nature": str(move.nature),
        "share": move.share,
        "decibels": move.decibels,
        "alpha_before": before.metrics["alpha"],
        "alpha": after.metrics["alpha"],
        "alpha_moved": move.is_alpha_moved,
        **move.distances,
    }


def of_story(story: Story) -> dict[str, Any]:
    """Sentences and tables as JSON holds them."""
    return {
        "sentences": list(story.sentences),
        "parts": [plain(_of_group(group)) for group in story.parts],
        "costs": [plain(_of_cost(cost)) for cost in story.costs],
    }


def of_standing(row: Standing) -> dict[str, Any]:
    """The row of a version."""
    medians = {
        column: value
        for metric, found in row.medians.items()
        for column, value in (
            (f"{metric}_median", found.value),
            (f"{metric}_low", found.low),
            (f"{metric}_high", found.high),
        )
    }
    return {
        "label": row.label,
        "name": row.name,
        "against": row.against or None,
        "layers": row.layers,
        **medians,
        "changed": row.changed,
        "frozen": row.frozen,
        "relative": row.relative,
        "alpha_moved": row.moved,
    }


def plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as JSON holds it: undefined numbers are None."""
    return {
        name: number(value) if isinstance(value, float) else value for name, value in row.items()
    }


def _of_group(group: Group) -> dict[str, Any]:
    return {
        "part": group.label,
        "layers": group.layers,
        "changed": group.changed,
        "share": group.share,
        "relative": group.relative,
        "furthest": group.furthest,
    }


def _of_cost(cost: Cost) -> dict[str, Any]:
    return {
        "dtype_before": cost.before,
        "dtype": cost.after,
        "bits": cost.bits,
        "layers": cost.layers,
        "relative": cost.relative,
        "decibels": cost.decibels,
        "worst": cost.worst.name,
        "worst_relative": cost.worst.relative,
        "alpha_moved": cost.moved,
        "alpha_fitted": cost.fitted,
    }
