"""The Python API: ``auditor.compare(a, b)`` gives the distances between two models, or more."""

from collections.abc import Sequence
from typing import overload

from auditor.api import MEMORY, Analysis
from auditor.config.options import chosen
from auditor.config.units import size
from auditor.errors import UsageError
from auditor.executors.gpu import CPU
from auditor.given import called, examined
from auditor.memory import Passing
from auditor.story.results import Distances, Lineup, To
from auditor.wall.jobs import Progress, Terms, quiet

TO = ("first", "previous")


@overload
def compare(
    before: object,
    after: object,
    /,
    *,
    to: To = ...,
    convention: str = ...,
    layers: Sequence[str] = ...,
    more: bool = ...,
    intervals: bool = ...,
    min_evals: int = ...,
    seed: int = ...,
    progress: Progress = ...,
) -> Distances: ...


@overload
def compare(
    before: object,
    after: object,
    third: object,
    /,
    *others: object,
    to: To = ...,
    convention: str = ...,
    layers: Sequence[str] = ...,
    more: bool = ...,
    intervals: bool = ...,
    min_evals: int = ...,
    seed: int = ...,
    progress: Progress = ...,
) -> Lineup: ...


def compare(  # noqa: PLR0913 - the options of the public API, by keyword
    before: object,
    after: object,
    *others: object,
    to: To = "first",
    convention: str = "auditor",
    layers: Sequence[str] = (),
    more: bool = False,
    intervals: bool = False,
    min_evals: int = 8,
    seed: int = 0,
    progress: Progress = quiet,
) -> Distances | Lineup:
    """Measure how far every layer of one model is from the same layer of another.

    Of two models the answer is their `Distances`; of more it is a `Lineup`, for which each
    is read for every pair that it is in, and measured once.

    Parameters
    ----------
    before, after, *others
        A ``torch.nn.Module``, a state dict (name -> tensor or array), the path of a weight
        file or folder, or a reference such as ``models:/digits/3``. Nothing of them is
        changed or executed.
    to
        What every model is compared with: the ``first``, or the ``previous`` one.
    convention
        ``auditor``, or ``weightwatcher`` for spectra as the reference tool has them.
    layers
        Patterns of the tensors to compare, such as ``h.*.mlp.*``; those after ``!`` are left
        out. None: all.
    more
        Also ``cka_distance``, ``ww_cka`` and ``subspace_overlap``, which cost more than all
        else.
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
    if to not in TO:
        raise UsageError(f"to={to!r}: expected one of {', '.join(TO)}")
    terms = Terms(settings=chosen(given).settings, memory=size(MEMORY), device=CPU, added=True)
    models, memory = (before, after, *others), Passing()
    pairs = tuple(
        _pair(models[0 if to == "first" else place], model, terms, progress, memory)
        for place, model in enumerate(models[1:])
    )
    return Lineup(pairs, to) if others else pairs[0]


def _pair(
    before: object, after: object, terms: Terms, progress: Progress, memory: Passing
) -> Distances:
    """Two of them; what `memory` knows is not measured again."""
    found = examined(after, before, terms, progress, memory)
    one, two = called(before), called(after)
    if found.comparison is None:
        raise UsageError(f"{one} has no matrix: there is nothing to compare with")
    analysis = Analysis(found.layers, found.skipped, found.reading, terms.settings)
    return Distances(one, two, analysis, found.comparison)
