"""The Python API: ``auditor.compare(a, b)`` gives the distances between two models."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditor import document
from auditor.api import MEMORY, Analysis
from auditor.config.options import chosen
from auditor.config.units import size
from auditor.errors import UsageError
from auditor.executors.gpu import CPU
from auditor.given import called, examined
from auditor.records import Comparison, LayerRecord
from auditor.wall.jobs import Progress, Terms, quiet

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Distances:
    """Every layer of one model against the same layer of another; no judgement.

    Layers are the same where their names and shapes are; a layer of another name is where it
    holds the same values.
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

    def rows(self) -> list[dict[str, Any]]:
        """The rows of `details` as mappings."""
        changes = {change.name: change for change in self.comparison.layers}
        return [
            {**_about(layer, changes[layer.name].before), **changes[layer.name].distances}
            for layer in self.analysis.layers
            if layer.name in changes
        ]

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
            "summary": self.summary(),
            "layers": [_plain(row) for row in self.rows()],
            "added": list(self.added),
            "removed": list(self.removed),
            "renamed": [list(pair) for pair in self.comparison.renamed],
            "uncompared": list(self.uncompared),
            "note": self.comparison.note,
            "analyzer": document.analyzer(self.analysis.settings),
        }


def compare(  # noqa: PLR0913 - the options of the public API, by keyword
    before: object,
    after: object,
    *,
    convention: str = "auditor",
    layers: Sequence[str] = (),
    more: bool = False,
    intervals: bool = False,
    min_evals: int = 8,
    seed: int = 0,
    progress: Progress = quiet,
) -> Distances:
    """Measure how far every layer of one model is from the same layer of another.

    Parameters
    ----------
    before, after
        A ``torch.nn.Module``, a state dict (name -> tensor or array), the path of a weight
        file or folder, or a reference such as ``models:/digits/3``. Nothing of them is
        changed or executed.
    convention
        ``auditor``, or ``weightwatcher`` for spectra as the reference tool has them.
    layers
        Patterns of the tensors to compare, such as ``h.*.mlp.*``; those after ``!`` are left
        out. None: all.
    more
        Also ``cka_distance``, ``ww_cka``, ``subspace_overlap``, ``delta_rank`` and
        ``delta_alpha``, which cost more than all else.
    intervals
        The error of ``d_alpha`` from refits of resampled spectra, not from the fit alone.
    min_evals
        Layers with fewer eigenvalues get no power-law fit.
    seed
        Of everything drawn at random.
    progress
        Called as ``progress(done, total, name)`` after every tensor of the second.

    Raises
    ------
    UsageError
        If one of them is nothing that has weights, the first has no matrix, an option does
        not fit, or no layer is called as `layers` asks.
    WorkerError
        If the process in which paths or references are read and measured ends early.
    """
    given = {
        "convention": convention,
        "layers": layers,
        "more_distances": more,
        "intervals": intervals,
        "min_evals": min_evals,
        "seed": seed,
        "mp_fit": False,
        "randomize": False,
    }
    settings = chosen(given).settings
    one, two = called(before), called(after)
    terms = Terms(settings=settings, memory=size(MEMORY), device=CPU)
    found = examined(after, before, terms, progress)
    if found.comparison is None:
        raise UsageError(f"{one} has no matrix: there is nothing to compare with")
    analysis = Analysis(found.layers, found.skipped, found.reading, settings)
    return Distances(one, two, analysis, found.comparison)


def _about(layer: LayerRecord, before: LayerRecord) -> dict[str, Any]:
    return {
        "name": layer.name,
        "before": before.name,
        "kind": layer.kind,
        "shape": layer.shape,
        "N": layer.measured.n,
        "M": layer.measured.m,
    }


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSON holds it: undefined numbers are None."""
    return {
        name: document.number(value) if isinstance(value, float) else value
        for name, value in row.items()
    }
