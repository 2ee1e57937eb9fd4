"""A real Trainer of Hugging Face, with a real MLflow beside it."""

import logging
from pathlib import Path
from typing import Any

import mlflow
import pytest
import torch
from torch import nn
from transformers import Trainer, TrainerCallback, TrainingArguments

from auditor.callbacks.transformers import AuditorCallback

pytestmark = [
    pytest.mark.wide,  # its trainer takes seconds to import, and mlflow's tables to be made
    pytest.mark.usefixtures("tracking"),
    pytest.mark.filterwarnings(
        "ignore::sqlalchemy.exc.SADeprecationWarning"  # by mlflow's own queries
    ),
]
STEPS = 6


class Regression(nn.Module):
    """Two layers that the Trainer can train."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(48, 64)
        self.head = nn.Linear(64, 1)

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        out = self.head(torch.relu(self.body(x)))
        return {"loss": ((out - labels) ** 2).mean(), "logits": out}


def rows() -> Any:
    return [{"x": torch.randn(48), "labels": torch.randn(1)} for _ in range(32)]


def arguments(folder: Path) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=STEPS,
        per_device_train_batch_size=4,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
        dataloader_pin_memory=False,
    )


def trained(folder: Path, *callbacks: TrainerCallback) -> Regression:
    torch.manual_seed(0)
    model, made = Regression(), arguments(folder)
    Trainer(model=model, args=made, train_dataset=rows(), callbacks=list(callbacks)).train()
    return model


def test_metrics_are_in_the_active_run_at_the_steps_of_the_trainer(tracking, tmp_path):
    callback = AuditorCallback(every=2, per_layer=True, budget=1.0)
    with mlflow.start_run() as run:
        trained(tmp_path, callback)
    client = mlflow.MlflowClient(tracking)
    points = client.get_metric_history(run.info.run_id, "auditor/alpha/median")
    assert [point.step for point in points] == [look.step for look in callback.history]
    assert points[0].step == 2
    assert [point.value for point in points] == [
        pytest.approx(look.values["auditor/alpha/median"]) for look in callback.history
    ]
    names = client.get_run(run.info.run_id).data.metrics.keys()
    assert {"auditor/stable_rank/mean", "auditor/alpha/layers/body"} <= names


def test_weights_are_those_of_a_training_without_it(tmp_path):
    plain = trained(tmp_path / "plain").state_dict()
    with mlflow.start_run():
        watched = trained(tmp_path / "watched", AuditorCallback(every=1, budget=1.0)).state_dict()
    assert all(torch.equal(plain[name], watched[name]) for name in plain)


def test_without_a_run_the_history_has_it_and_one_line_says_so(tmp_path, caplog):
    callback = AuditorCallback(every=1)
    callback.watch.clock = lambda: 0.0  # looks cost nothing, whatever this machine is busy with
    with caplog.at_level(logging.WARNING, logger="auditor"):
        trained(tmp_path, callback)
    assert [look.step for look in callback.history] == list(range(1, STEPS + 1))
    assert [record.getMessage()[:28] for record in caplog.records] == [
        "auditor: no MLflow run is ac"
    ]
    assert mlflow.active_run() is None


def test_a_run_that_takes_nothing_does_not_end_the_training(tracking, tmp_path, caplog):
    callback = AuditorCallback(every=1, budget=1.0)
    with mlflow.start_run() as run, caplog.at_level(logging.WARNING, logger="auditor"):
        client = mlflow.MlflowClient(tracking)
        client.delete_run(run.info.run_id)
        trained(tmp_path, callback)
        client.restore_run(run.info.run_id)
    assert callback.history
    [record] = caplog.records
    assert "the run takes no metrics" in record.getMessage()
