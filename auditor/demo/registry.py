"""The demo's own MLflow registry: a database file and a folder of artifacts."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import Module

from auditor.demo.training import PIXELS
from auditor.errors import SourceError, translate
from auditor.mlflow_client import QUIET

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL = "digits"
RESULTS = "auditor"  # the experiment audits are written to
CHAMPION = "champion"
TRACKING_URI = "MLFLOW_TRACKING_URI"


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry below one folder; MLflow is given no other place to write to."""

    folder: Path  # absolute
    experiment: str  # id of the one the versions are logged in

    def register(self, network: Module, *, title: str, accuracy: float) -> str:
        """Log a network and register it as the next version, as a training script would.

        Returns
        -------
        The number of the version.
        """
        with _mlflow(self.folder) as client:
            run = client.create_run(self.experiment, run_name=title).info.run_id
            client.log_metric(run, "test_accuracy", accuracy)
            model = client.create_logged_model(self.experiment, name=MODEL, source_run_id=run)
            with TemporaryDirectory(dir=self.folder) as scratch:
                client.log_model_artifacts(model.model_id, _saved(network, Path(scratch) / "model"))
            client.finalize_logged_model(model.model_id, "READY")
            client.set_terminated(run)
            version = client.create_model_version(
                MODEL,
                source=f"models:/{model.model_id}",
                run_id=run,
                model_id=model.model_id,
                description=title,
            )
            return str(version.version)

    def promote(self, version: str) -> None:
        """Mark the version that is in production."""
        with _mlflow(self.folder) as client:
            client.set_registered_model_alias(MODEL, CHAMPION, version)


def create(folder: Path) -> Registry:
    """Make the database, the registered model and the experiments; `folder` is absolute."""
    with _mlflow(folder) as client:
        # without a location of its own an experiment writes to ./mlruns
        own, _ = (
            client.create_experiment(name, artifact_location=(folder / "artifacts" / name).as_uri())
            for name in (MODEL, RESULTS)
        )
        client.create_registered_model(MODEL)
    return Registry(folder, own)


def tracking_uri(folder: Path) -> str:
    """Where MLflow finds the registry of a demo folder."""
    return f"sqlite:///{folder / 'mlflow.db'}"


def _saved(network: Module, folder: Path) -> str:
    """Save in the format MLflow chooses by default; the folder it is in."""
    import mlflow.pytorch  # noqa: PLC0415 - as in `_mlflow`

    example = np.zeros((2, PIXELS), dtype=np.float32)
    needs = [f"torch=={torch.__version__.partition('+')[0]}"]  # else MLflow runs it to find out
    mlflow.pytorch.save_model(network, str(folder), input_example=example, pip_requirements=needs)
    return str(folder)


@contextmanager
def _mlflow(folder: Path) -> "Iterator[MlflowClient]":
    """Open a client on one registry, without MLflow's notes, warnings and usage statistics.

    A registry looks a logged model up through the tracking URI of the process, whichever
    its client was given; so that is set here as well, and set back afterwards.
    """
    for name, value in QUIET.items():  # read at the first import
        os.environ.setdefault(name, value)
    import mlflow  # noqa: PLC0415 - not before the lines above

    uri, before = tracking_uri(folder), os.environ.get(TRACKING_URI)
    problems = (mlflow.MlflowException, OSError)
    with (
        warnings.catch_warnings(),
        translate(*problems, to=SourceError, doing="writing the registry of the demo"),
    ):
        warnings.simplefilter("ignore")
        mlflow.set_tracking_uri(uri)
        try:
            yield mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
        finally:
            mlflow.set_tracking_uri(before)  # type: ignore[arg-type]  # None: back to no URI
