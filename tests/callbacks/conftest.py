"""An MLflow that lies in a folder of the test's own."""

from collections.abc import Iterator
from warnings import catch_warnings, simplefilter

import mlflow
import pytest


@pytest.fixture(scope="module")
def tracking(tmp_path_factory) -> Iterator[str]:
    """A tracking store in one file; made once, its tables take seconds."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"
    before = mlflow.get_tracking_uri()
    with catch_warnings():
        simplefilter("ignore")  # of mlflow, while it makes its tables
        mlflow.set_tracking_uri(uri)
        mlflow.set_experiment("training")
    yield uri
    mlflow.set_tracking_uri(before)
