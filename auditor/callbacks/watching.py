"""When weights are looked at during a training, and what is kept of a look."""

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from auditor import metrics
from auditor.api import Analysis, analyze
from auditor.callbacks.modules import inner, sharded
from auditor.document import summary
from auditor.errors import AuditorError, UsageError
from auditor.records import Settings

log = logging.getLogger(__name__)

USUAL = ("alpha", "log_spectral_norm", "stable_rank")
BARE = Settings(bootstrap=0, mp_fit=False, randomize=False)
SWITCHES = {  # an option of `analyze`, and settings with what it measures
    "mp_fit": replace(BARE, mp_fit=True),
    "randomize": replace(BARE, randomize=True),
    "intervals": replace(BARE, bootstrap=100),
    "detX": replace(BARE, detX=True),
    "vectors": replace(BARE, vectors=True),
    "cumulants": replace(BARE, cumulants=True),
}
AVERAGES = ("median", "mean")
ZERO = "zero"  # status of a layer without a number other than 0

Tell = Callable[[str], object]
Record = Callable[[Mapping[str, float], int, Tell], object]


@dataclass(frozen=True, slots=True)
class Look:
    """What was measured at one step."""

    step: int
    seconds: float  # it took
    values: Mapping[str, float]  # auditor/alpha/median -> value; only what is defined


@dataclass(slots=True)
class Watch:
    """Looks at a model every so many steps, as long as that costs little.

    Raises
    ------
    UsageError
        If a metric has no such name, or a number is out of range.
    """

    every: int = 500  # steps of the optimiser
    metrics: Sequence[str] = USUAL
    layers: Sequence[str] = ()  # patterns of tensors, as for `auditor.analyze`; none: all
    per_layer: bool = False  # also a series for every layer
    budget: float = 0.05  # largest share of the time that looking may take
    clock: Callable[[], float] = time.perf_counter
    history: list[Look] = field(default_factory=list)
    _options: Mapping[str, bool] = field(init=False, repr=False)
    _step: int = field(init=False, default=0)  # of the latest call
    _ended: float = field(init=False, default=-math.inf)  # when the latest look did
    _told: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        if self.every < 1:
            raise UsageError(f"every is {self.every}; expected a number of steps, 1 or more")
        if not 0.0 < self.budget <= 1.0:
            raise UsageError(f"budget is {self.budget}; expected a share above 0, at most 1")
        self._options = options_for(self.metrics)

    def step(self, model: Any, step: int, record: Record) -> None:  # noqa: ANN401 - a torch module
        """Look at a model after a step, where it is time to, and record what was found.

        A model whose weights lie in parts on several machines is left alone, and so is one
        that cannot be measured: a warning says why, once, and the training goes on.
        """
        before = self._step if 0 < self._step <= step else step - 1  # resumed, or begun again
        due = step // self.every > before // self.every
        self._step = step
        if not due or self._is_too_soon():
            return
        if reason := sharded(model):
            self.tell(f"{reason}: its weights are not measured, that needs whole ones")
            return
        began = self.clock()
        try:
            found = analyze(inner(model), layers=self.layers, **self._options)  # type: ignore[arg-type]
        except AuditorError as error:
            self.tell(f"not measured: {error}")
            return
        values = self._values(found)
        record(values, step, self.tell)
        self._ended = self.clock()
        self.history.append(Look(step, self._ended - began, values))

    def tell(self, sentence: str) -> None:
        """Warn of something, once."""
        if sentence not in self._told:
            self._told.add(sentence)
            log.warning("auditor: %s", sentence, extra={"event": "training.unwatched"})

    def _is_too_soon(self) -> bool:
        """Whether the latest look took more than its share of the time since."""
        if not self.history:
            return False
        took = self.history[-1].seconds
        return took > self.budget * (self.clock() - self._ended)

    def _values(self, found: Analysis) -> dict[str, float]:
        averaged = summary(found.layers)
        values = {
            f"auditor/{name}/{kind}": averaged[name][kind]
            for name in self.metrics
            if name in averaged
            for kind in AVERAGES
        }
        values["auditor/non_finite"] = float(sum(skip.non_finite > 0 for skip in found.skipped))
        zero = sum(layer.measured.status == ZERO for layer in found.layers)
        values["auditor/all_zero"] = float(zero)
        for layer in found.layers if self.per_layer else ():
            name = layer.name.replace("_orig_mod.", "").removesuffix(".weight")
            values |= {f"auditor/{m}/layers/{name}": layer.metrics[m] for m in self.metrics}
        return {name: value for name, value in values.items() if math.isfinite(value)}


class Watcher:
    """What the callbacks of all trainers have in common.

    Parameters
    ----------
    every
        Steps of the optimiser from one look to the next.
    metrics
        Columns of `auditor.analyze`; logged as ``auditor/alpha/median`` and ``…/mean``.
    layers
        Patterns of the tensors to look at, such as ``*.mlp.*``; those after ``!`` are left
        out. None: all.
    per_layer
        Also a series for every layer: ``auditor/alpha/layers/<name>``.
    budget
        Largest share of the training's time that looking may take; looks that would take more
        are left out.

    Raises
    ------
    UsageError
        If a metric has no such name, or a number is out of range.
    """

    def __init__(
        self,
        every: int = 500,
        metrics: Sequence[str] = USUAL,
        layers: Sequence[str] = (),
        *,
        per_layer: bool = False,
        budget: float = 0.05,
    ) -> None:
        self.watch = Watch(every, metrics, layers, per_layer, budget)

    @property
    def history(self) -> list[Look]:
        """What was measured, oldest first; also where nothing is logged."""
        return self.watch.history


def options_for(names: Sequence[str]) -> dict[str, bool]:
    """The options of `auditor.analyze` without which metrics are not measured.

    Raises
    ------
    UsageError
        If no option gives a metric of such a name.

    Examples
    --------
    >>> options_for(["alpha"]), options_for(["alpha", "num_traps"])
    ({}, {'randomize': True})
    """
    missing = set(names) - _columns(BARE)
    found: dict[str, bool] = {}
    for option, settings in SWITCHES.items():
        if missing & _columns(settings):
            found[option] = True
            missing -= _columns(settings)
    if missing:
        raise UsageError(
            f"there is no metric {sorted(missing)[0]!r} to watch a training by; "
            "docs/metrics.md lists them"
        )
    return found


def _columns(settings: Settings) -> set[str]:
    return {metric.name for metric in metrics.columns(settings)}
