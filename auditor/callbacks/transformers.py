"""For the Trainer of Hugging Face.

::

    from auditor.callbacks.transformers import AuditorCallback

    trainer.add_callback(AuditorCallback(every=500))
"""

from collections.abc import Sequence
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from auditor.callbacks.recording import record
from auditor.callbacks.watching import USUAL, Look, Watch


class AuditorCallback(TrainerCallback):
    """Logs metrics of the weights' spectra to the active MLflow run.

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
        """What was measured, oldest first; also where no run is active."""
        return self.watch.history

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002 - as the Trainer calls it
        **given: Any,  # noqa: ANN401 - as above
    ) -> None:
        """Look, on the main process, where it is time to."""
        if not state.is_world_process_zero:
            return
        if args.fsdp:
            self.watch.tell("the model is sharded by FSDP: its weights are not measured")
            return
        self.watch.step(given["model"], state.global_step, record)
