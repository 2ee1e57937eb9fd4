"""For Lightning, as ``lightning`` or as ``pytorch_lightning``.

::

    from auditor.callbacks.lightning import AuditorCallback

    Trainer(callbacks=[AuditorCallback(every=500)])
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

try:
    from lightning.pytorch import Callback
except ImportError:
    from pytorch_lightning import Callback  # type: ignore[assignment]  # either Trainer takes both

from auditor.callbacks.recording import keys, record
from auditor.callbacks.watching import Tell, Watcher


class AuditorCallback(Watcher, Callback):
    """Logs metrics of the weights' spectra to the trainer's MLflow logger, else the active run.

    What it takes is said at `Watcher`.
    """

    def on_train_batch_end(
        self,
        trainer: Any,  # noqa: ANN401 - of one package or the other
        pl_module: Any,  # noqa: ANN401 - as above
        *_: Any,  # noqa: ANN401 - outputs, batch and its number
    ) -> None:
        """Look, on the main process, where it is time to."""
        if not trainer.is_global_zero:
            return
        wrapped = trainer.strategy.model
        if type(wrapped).__name__ == "FullyShardedDataParallel":
            self.watch.tell("the model is sharded by FSDP: its weights are not measured")
            return
        loggers = [one for one in trainer.loggers if _is_mlflow(one)]
        self.watch.step(pl_module, trainer.global_step, partial(_log, loggers))


def _is_mlflow(logger: object) -> bool:
    """Told by name: both packages have one, and a user's may be derived from it."""
    return any(base.__name__ == "MLFlowLogger" for base in type(logger).__mro__)


def _log(loggers: Sequence[Any], values: Mapping[str, float], step: int, tell: Tell) -> None:
    for logger in loggers:
        logger.log_metrics(keys(values), step=step)
    if not loggers:
        record(values, step, tell)
