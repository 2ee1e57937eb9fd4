"""Real trainers of Lightning, under both of its names, with a real MLflow beside them."""

from importlib import import_module
from types import ModuleType
from typing import Any

import mlflow
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from auditor.callbacks.lightning import AuditorCallback

pytestmark = [
    pytest.mark.wide,  # it takes seconds to import
    pytest.mark.usefixtures("tracking"),
    pytest.mark.filterwarnings(
        "ignore::sqlalchemy.exc.SADeprecationWarning",  # by mlflow's own queries
        "ignore:The 'train_dataloader' does not have many workers",
        "ignore:.isinstance.treespec, LeafSpec:FutureWarning",  # Lightning 2.6 with torch 2.13
    ),
]
STEPS = 6


@pytest.fixture(params=["lightning.pytorch", "pytorch_lightning"])
def package(request) -> ModuleType:
    return import_module(request.param)


def module(package: ModuleType) -> Any:
    class Regression(package.LightningModule):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Linear(48, 64)
            self.head = nn.Linear(64, 1)

        def training_step(self, batch: Any, _: int) -> torch.Tensor:
            x, y = batch
            return nn.functional.mse_loss(self.head(torch.relu(self.body(x))), y)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.01)

    return Regression()


def data() -> Any:
    return DataLoader(TensorDataset(torch.randn(32, 48), torch.randn(32, 1)), batch_size=4)


def trained(package: ModuleType, *callbacks: object, **more: Any) -> Any:
    torch.manual_seed(0)
    model = module(package)
    package.Trainer(
        max_steps=STEPS,
        accelerator="cpu",
        callbacks=list(callbacks),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **{"logger": False, **more},
    ).fit(model, data())
    return model


def test_metrics_are_in_the_run_of_the_trainers_logger(package, tracking):
    logger = package.loggers.MLFlowLogger(experiment_name="light", tracking_uri=tracking)
    callback = AuditorCallback(every=2, per_layer=True, budget=1.0)
    trained(package, callback, logger=logger, log_every_n_steps=1)
    client = mlflow.MlflowClient(tracking)
    points = client.get_metric_history(logger.run_id, "auditor/alpha/median")
    assert [point.step for point in points] == [look.step for look in callback.history]
    assert points[0].step == 2
    names = client.get_run(logger.run_id).data.metrics.keys()
    assert {"auditor/stable_rank/mean", "auditor/alpha/layers/body"} <= names


def test_without_a_logger_they_are_in_the_active_run(package, tracking):
    with mlflow.start_run() as run:
        trained(package, AuditorCallback(every=2, budget=1.0))
    found = mlflow.MlflowClient(tracking).get_run(run.info.run_id).data.metrics
    assert "auditor/alpha/median" in found


def test_weights_are_those_of_a_training_without_it(package):
    plain = trained(package).state_dict()
    with mlflow.start_run():
        watched = trained(package, AuditorCallback(every=1, budget=1.0)).state_dict()
    assert all(torch.equal(plain[name], watched[name]) for name in plain)


def test_steps_are_those_of_the_optimiser_where_gradients_are_gathered(package):
    callback = AuditorCallback(every=1, budget=1.0)
    trained(package, callback, accumulate_grad_batches=2)
    steps = [look.step for look in callback.history]
    assert steps == sorted(set(steps))
    assert steps[-1] <= STEPS
