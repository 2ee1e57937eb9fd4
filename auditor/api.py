"""The Python API: ``auditor.analyze(model)`` gives the layer table of anything with weights."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditor import document
from auditor.config.options import Options, chosen
from auditor.config.units import asked, duration, size
from auditor.given import examined
from auditor.policy import MIN_COVERAGE
from auditor.records import LayerRecord, Reading, Settings, Skip
from auditor.wall.jobs import Progress, Terms, quiet

if TYPE_CHECKING:
    import pandas as pd

MEMORY = "8GiB"  # for the layers at work
MEANS = (  # what the reference's summary has, by its names
    *("log_norm", "alpha", "alpha_weighted", "log_alpha_norm", "log_spectral_norm"),
    *("stable_rank", "mp_softrank"),
)


@dataclass(frozen=True, slots=True)
class Analysis:
    """Every layer of a model with everything measured on it; no judgement."""

    layers: tuple[LayerRecord, ...]
    skipped: tuple[Skip, ...]
    reading: Reading
    settings: Settings

    @property
    def details(self) -> "pd.DataFrame":
        """One row per layer, in model order, with the reference tool's column names.

        Undefined values are NaN; `status` says why.
        """
        import pandas as pd  # noqa: PLC0415 - slow to import, and only needed here

        rows = [_row(layer) for layer in self.layers]
        return pd.DataFrame(rows, columns=list(rows[0]) if rows else ["name"])

    def summary(self) -> dict[str, Any]:
        """Mean, median and percentiles of each metric over the layers where it is defined.

        In the convention ``weightwatcher``: the reference's plain means, by its names.
        """
        found = document.summary(self.layers)
        if self.settings.convention == "weightwatcher":
            return {name: found[name]["mean"] for name in MEANS if name in found}
        return found

    def to_dict(self) -> dict[str, Any]:
        """What ``auditor analyze --json`` prints."""
        return {
            **document.table(self.layers, self.skipped),
            "analyzer": document.analyzer(self.settings),
        }

    @property
    def complete(self) -> bool:
        """Whether every file was parsed and nearly all parameters of matrices were read.

        Never where a time budget left something out.
        """
        share = document.share_read(self.layers, self.skipped)
        is_cut = any(skip.is_untimely for skip in self.skipped)
        return not self.reading.failures and not is_cut and share >= MIN_COVERAGE


def analyze(  # noqa: PLR0913 - the options of the public API, by keyword
    model: object,
    *,
    convention: str = "auditor",
    layers: Sequence[str] = (),
    intervals: bool = False,
    bootstrap: int = 100,
    goodness_of_fit: bool = False,
    mp_fit: bool = False,
    randomize: bool = False,
    detX: bool = False,
    vectors: bool = False,
    cumulants: bool = False,
    pool: bool = True,
    split_qkv: bool = False,
    fit: str = "PL",
    fix_fingers: str | None = None,
    xmax: float | str | None = None,
    min_evals: int = 8,
    min_tail: int = 8,
    precision: str = "float64",
    seed: int = 0,
    device: str = "auto",
    memory: str = MEMORY,
    time_budget: str | None = None,
    progress: Progress = quiet,
) -> Analysis:
    """Measure every layer of a model.

    Parameters
    ----------
    model
        A ``torch.nn.Module``, a state dict (name -> tensor or array), the path of a weight
        file or folder, or a reference such as ``models:/digits/3``. Nothing of it is changed
        or executed.
    convention
        ``auditor``, or ``weightwatcher`` for numbers that agree with the reference tool's.
    layers
        Patterns of the tensors to analyse, such as ``h.*.mlp.*``; those after ``!`` are left
        out. None: all.
    intervals
        Also the 95 % interval of α, by refitting resampled spectra.
    bootstrap
        How many of them.
    goodness_of_fit
        Also, with intervals, the plausibility of every layer's power law and its likelihood
        against a truncated power law, a lognormal and an exponential.
    mp_fit
        Also the Marchenko-Pastur bulk and its spikes.
    randomize
        Also the random twin of every layer and its correlation traps.
    detX
        Also where the product of the eigenvalues is 1, and how far from the tail that is.
    vectors
        Also entropy and localisation of the singular vectors of bulk and tail.
    cumulants
        Also free cumulants and log capacities.
    pool
        False: every slice of a convolution or stack of experts is a layer of its own.
    split_qkv
        True: fused query, key and value are three layers.
    fit
        ``PL``, or ``TPL`` for a power law with an exponential cut-off.
    fix_fingers
        ``clip_xmax`` drops single large eigenvalues, ``xmin_peak`` looks for the beginning of
        the tail near the peak of the spectrum.
    xmax
        Where the tail ends: an eigenvalue, or ``force`` for the largest one.
    min_evals
        Layers with fewer eigenvalues get no power-law fit.
    min_tail
        Fewest eigenvalues of a tail.
    precision
        ``float64``, or ``float32`` for eigenvalues in half the memory and fewer digits.
    seed
        Of everything drawn at random.
    device
        Where eigenvalues are computed: ``cpu``, ``cuda``, or ``auto``: ``cuda`` where torch
        sees a GPU.
    memory
        For the layers that are measured at one time, such as ``8GiB``; one that needs more is
        left out, as not read.
    time_budget
        Such as ``10m``: layers with most parameters for their time come first, and those that
        would not be done by then are left out, as not read. None: as long as it takes.
    progress
        Called as ``progress(done, total, name)`` after every tensor.

    Raises
    ------
    UsageError
        If `model` is nothing that has weights, an option does not fit, or no layer is called
        as `layers` asks.
    WorkerError
        If the process in which a path or reference is read and measured ends early.
    """
    given = {name: value for name, value in locals().items() if name in Options.model_fields}
    settings = chosen(given).settings
    terms = Terms(
        settings=settings,
        memory=asked(memory, "memory", size) or size(MEMORY),
        device=device,
        time_budget=asked(time_budget, "time_budget", duration),
    )
    found = examined(model, None, terms, progress)
    return Analysis(found.layers, found.skipped, found.reading, settings)


def _row(layer: LayerRecord) -> dict[str, Any]:
    measured = layer.measured
    return {
        "layer_id": layer.index,
        "name": layer.name.rpartition(".")[0].rpartition(".")[2] or layer.name,
        "longname": layer.name.removesuffix(".weight"),
        "layer_type": layer.kind,
        "N": measured.n,
        "M": measured.m,
        "Q": measured.n / measured.m,
        "num_evals": measured.num_evals,
        "rf": math.prod(layer.shape[2:]) if layer.kind.startswith("conv") else 1,
        "has_esd": True,
        "status": measured.status,
        "phase": measured.phase.name if measured.phase else None,
        **measured.metrics,
    }
