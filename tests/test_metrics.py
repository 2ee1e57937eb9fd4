"""What every metric must have, so that reports can show it."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterable

import pytest

from auditor import metrics
from auditor.metrics import randomness, tail
from auditor.metrics.base import Metric
from auditor.records import Settings

FAMILIES = [i.name for i in pkgutil.iter_modules(metrics.__path__) if i.name != "base"]


def names(settings: Settings) -> set[str]:
    return {metric.name for metric in metrics.columns(settings)}


def of(table: Iterable[Metric]) -> set[str]:
    return {metric.name for metric in table}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_function_is_in_its_table(family):
    module = importlib.import_module(f"auditor.metrics.{family}")
    written = {
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and name[0] != "_"
    }
    assert written == of(module.METRICS)
    assert written <= of(metrics.ALL)


def test_no_two_metrics_share_a_name():
    assert len(of(metrics.ALL)) == len(metrics.ALL)


@pytest.mark.parametrize("metric", metrics.ALL, ids=lambda m: m.name)
def test_is_explained(metric):
    assert metric.label
    assert metric.unit
    assert metric.summary.endswith(".")


def test_every_column_is_there_by_default():
    assert names(Settings()) == of(metrics.ALL)


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        (Settings(bootstrap=0), of(tail.INTERVAL_METRICS)),
        (Settings(mp_fit=False), of(randomness.BULK_METRICS)),
        (Settings(randomize=False), of(randomness.TWIN_METRICS)),
        (Settings(convention="weightwatcher"), of(randomness.METRICS)),
    ],
    ids=["no bootstrap", "no bulk", "no twin", "the reference"],
)
def test_settings_choose_columns(settings, missing):
    assert of(metrics.ALL) - names(settings) == missing


def test_reference_names_are_all_there():
    reference = "norm log_norm spectral_norm log_spectral_norm lambda_max stable_rank matrix_rank"
    reference += " rank_loss weak_rank_loss sv_max sv_min entropy alpha D xmin xmax sigma"
    reference += " num_pl_spikes alpha_weighted log_alpha_norm"
    assert set(reference.split()) <= names(Settings(convention="weightwatcher", bootstrap=0))
