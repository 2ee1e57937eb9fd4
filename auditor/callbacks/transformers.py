"""For the Trainer of Hugging Face.

::

    from auditor.callbacks.transformers import AuditorCallback

    trainer.add_callback(AuditorCallback(every=500))
"""

from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from auditor.callbacks.recording import record
from auditor.callbacks.watching import Watcher


class AuditorCallback(Watcher, TrainerCallback):
    """Logs metrics of the weights' spectra to the active MLflow run.

    What it takes is said at `Watcher`.
    """

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
