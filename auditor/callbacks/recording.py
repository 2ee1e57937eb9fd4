"""Metrics into the MLflow run that is running, if there is one."""

import re
import sys
from collections.abc import Callable, Mapping
from hashlib import sha256

LONGEST = 250  # characters that MLflow takes of a metric's name
MOST = 1000  # metrics it takes at a time
NO_RUN = (
    "no MLflow run is active, so what is measured is in the callback's history only; start one "
    "with mlflow.start_run() around the training"
)


def record(values: Mapping[str, float], step: int, tell: Callable[[str], object]) -> None:
    """Log values to the active run; where there is none, or it takes nothing, tell why.

    A training does not end because a tracking server is away.
    """
    if "mlflow" not in sys.modules:  # whoever has a run has imported it
        tell(NO_RUN)
        return
    import mlflow  # noqa: PLC0415 - only where somebody uses it
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - as above

    run = mlflow.active_run()
    if run is None:
        tell(NO_RUN)
        return
    named = list(keys(values).items())
    try:
        for start in range(0, len(named), MOST):
            some = dict(named[start : start + MOST])
            mlflow.log_metrics(some, step=step, run_id=run.info.run_id)
    except MlflowException as error:
        tell(f"the run takes no metrics: {error}")


def keys(values: Mapping[str, float]) -> dict[str, float]:
    """Values under names that MLflow takes, each under one of its own.

    Examples
    --------
    >>> keys({"auditor/alpha/layers/fc[0]:w": 1.0})
    {'auditor/alpha/layers/fc_0__w': 1.0}
    """
    found: dict[str, float] = {}
    for name, value in values.items():
        key = _tidy(name)
        if key in found or len(key) > LONGEST:
            digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
            key = f"{key[: LONGEST - 9]}-{digest}"
        found[key] = value
    return found


def _tidy(name: str) -> str:
    """What MLflow allows: no odd sign, and no part that a path would not have."""
    plain = re.sub(r"[^A-Za-z0-9_./ -]", "_", name)
    return "/".join("_" if not part.strip(".") else part for part in plain.split("/"))
