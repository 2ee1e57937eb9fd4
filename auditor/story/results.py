"""What a comparison gives back: two models and their distances, or several side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from auditor import document
from auditor.api import Analysis
from auditor.records import Comparison
from auditor.story import Story, markdown, tell
from auditor.story.lineup import Standing, labels, standing
from auditor.story.rows import of_move, of_standing, of_story, plain

if TYPE_CHECKING:
    import pandas as pd

To = Literal["first", "previous"]  # what every model is compared with


@dataclass(frozen=True)
class Distances:
    """Every layer of one model against the same layer of another; no judgement.

    Layers are the same where their names and shapes are; a layer of another name is where it
    holds the same values, or where llama.cpp has its own name for it.
    """

    before: str  # how the first was named
    after: str
    analysis: Analysis  # of the second
    comparison: Comparison

    @property
    def details(self) -> "pd.DataFrame":
        """One row per layer that both have, in the second's order, with every distance.

        `before` is what the first calls the layer. Undefined distances are NaN.
        """
        import pandas as pd  # noqa: PLC0415 - slow to import, and only needed here

        rows = self.rows()
        return pd.DataFrame(rows, columns=list(rows[0]) if rows else ["name"])

    @cached_property
    def story(self) -> Story:
        """What became of every layer, in sentences and tables."""
        return tell(self.analysis.layers, self.comparison)

    def rows(self) -> list[dict[str, Any]]:
        """The rows of `details` as mappings."""
        return [of_move(move) for move in self.story.moves]

    def plain_rows(self) -> list[dict[str, Any]]:
        """The same with None for undefined numbers, as JSON and CSV have them."""
        return [plain(row) for row in self.rows()]

    @property
    def pairs(self) -> "tuple[Distances, ...]":
        """The one pair, as a `Lineup` has several."""
        return (self,)

    @cached_property
    def versions(self) -> tuple[Standing, ...]:
        """A row for each of the two, as a `Lineup` has them."""
        return _standings(self.pairs, "first")

    def summary(self) -> dict[str, Any]:
        """Mean, median and percentiles of each distance over the layers where it is defined."""
        return document.averages([change.distances for change in self.comparison.layers])

    @property
    def added(self) -> tuple[str, ...]:
        """Layers that only the second has."""
        return self.comparison.added

    @property
    def removed(self) -> tuple[str, ...]:
        """Layers that only the first has."""
        return self.comparison.removed

    @property
    def uncompared(self) -> tuple[str, ...]:
        """Matrices without a distance: one side has no spectrum, it is not finite or readable."""
        told = {change.name for change in self.comparison.layers} | set(self.added)
        return (
            *(layer.name for layer in self.analysis.layers if layer.name not in told),
            *(skip.name for skip in self.analysis.skipped if skip.is_matrix),
        )

    @property
    def complete(self) -> bool:
        """Whether every file of both was parsed and nearly all parameters were read."""
        return self.analysis.complete and not self.comparison.note

    def to_dict(self) -> dict[str, Any]:
        """What ``auditor compare --json`` prints."""
        return {
            "before": self.before,
            "after": self.after,
            "story": of_story(self.story),
            "summary": self.summary(),
            "layers": self.plain_rows(),
            "added": list(self.added),
            "removed": list(self.removed),
            "renamed": [list(pair) for pair in self.comparison.renamed],
            "uncompared": list(self.uncompared),
            "note": self.comparison.note,
            "analyzer": document.analyzer(self.analysis.settings),
        }

    def to_markdown(self) -> str:
        """What ``auditor compare --md`` prints: the story, and the layers that changed most."""
        return markdown.of_pair(self.before, self.after, self.story)


@dataclass(frozen=True)
class Lineup:
    """Three models or more, side by side; no judgement."""

    pairs: tuple[Distances, ...]  # of every model but the first
    to: To  # what each is compared with: the first, or the one before it

    @cached_property
    def versions(self) -> tuple[Standing, ...]:
        """A row per model: its medians, and how far it is from what it is compared with."""
        return _standings(self.pairs, self.to)

    @property
    def details(self) -> "pd.DataFrame":
        """The rows of every pair's `details`, with the label of the second in `version`."""
        import pandas as pd  # noqa: PLC0415 - slow to import, and only needed here

        return pd.DataFrame(self.rows())

    def rows(self) -> list[dict[str, Any]]:
        """The rows of `details` as mappings."""
        return [
            {"version": row.label, **line}
            for row, pair in zip(self.versions[1:], self.pairs, strict=True)
            for line in pair.rows()
        ]

    def plain_rows(self) -> list[dict[str, Any]]:
        """The same with None for undefined numbers, as JSON and CSV have them."""
        return [plain(row) for row in self.rows()]

    @property
    def complete(self) -> bool:
        """Whether every file of all was parsed and nearly all parameters were read."""
        return all(pair.complete for pair in self.pairs)

    def to_dict(self) -> dict[str, Any]:
        """What ``auditor compare --json`` prints of three or more."""
        return {
            "to": self.to,
            "versions": [plain(of_standing(row)) for row in self.versions],
            "pairs": [pair.to_dict() for pair in self.pairs],
        }

    def to_markdown(self) -> str:
        """What ``auditor compare --md`` prints of three or more."""
        return markdown.of_lineup(self.versions, [pair.story for pair in self.pairs])


def _standings(pairs: Sequence[Distances], to: To) -> tuple[Standing, ...]:
    """A row per model; of the first only the layers are known that the second has too."""
    names = list(labels(len(pairs) + 1))
    known = {move.before.name: move.before for pair in pairs[:1] for move in pair.story.moves}
    rows = [standing(names[0], pairs[0].before, tuple(known.values()))]
    for place, pair in enumerate(pairs):
        against = names[0 if to == "first" else place]
        label, layers = names[place + 1], pair.analysis.layers
        rows.append(standing(label, pair.after, layers, against=against, story=pair.story))
    return tuple(rows)
