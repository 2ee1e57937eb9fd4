"""What every metric must have, so that reports can show it."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterable
from dataclasses import replace

import pytest

from auditor import metrics
from auditor.metrics import capacity, determinant, randomness, tail, vectors
from auditor.metrics.base import Metric
from auditor.records import Settings

FULL = Settings(
    fix_fingers="clip_xmax", goodness_of_fit=True, detX=True, vectors=True, cumulants=True
)
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
    assert written <= of(module.METRICS) <= of(metrics.ALL)


def test_no_two_metrics_share_a_name():
    assert len(of(metrics.ALL)) == len(metrics.ALL)


@pytest.mark.parametrize("metric", metrics.ALL, ids=lambda m: m.name)
def test_is_explained(metric):
    assert metric.label
    assert metric.unit
    assert metric.summary.endswith(".")


def test_every_column_is_there_for_some_settings():
    everything = (FULL, replace(FULL, fit="TPL"), replace(FULL, convention="weightwatcher"))
    assert set().union(*map(names, everything)) == of(metrics.ALL)


@pytest.mark.parametrize(
    ("without", "missing"),
    [
        ({"bootstrap": 0}, tail.INTERVAL_METRICS),
        ({"fit": "TPL"}, tail.INTERVAL_METRICS),
        ({"goodness_of_fit": False}, tail.RATIO_METRICS),
        ({"fix_fingers": "xmin_peak"}, tail.FINGER_METRICS),
        ({"mp_fit": False}, randomness.BULK_METRICS),
        ({"randomize": False}, (*randomness.TWIN_METRICS, *randomness.OWN_TWIN_METRICS)),
        ({"detX": False}, determinant.METRICS),
        ({"vectors": False}, vectors.METRICS),
        ({"cumulants": False}, capacity.METRICS),
        ({"convention": "weightwatcher"}, randomness.OWN_TWIN_METRICS),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_settings_choose_columns(without, missing):
    assert names(FULL) - names(replace(FULL, **without)) == of(missing)


@pytest.mark.parametrize("convention", ["auditor", "weightwatcher"])
def test_the_columns_of_the_field_are_there_in_both_conventions(convention):
    always = "norm log_norm spectral_norm log_spectral_norm lambda_max stable_rank matrix_rank"
    always += " rank_loss weak_rank_loss weak_rank_loss_rel sv_max sv_min entropy alpha D xmin"
    always += " xmax sigma num_pl_spikes alpha_weighted log_alpha_norm alpha_hill"
    asked = "num_spikes sigma_mp mp_softrank bulk_min bulk_max W_scale max_rand_eval"
    asked += " rand_distance ww_softrank ww_maxdist num_traps detX_num detX_val ERG_gap"
    asked += " bulk_mean_vec_entropy tail_var_loc_ratio free_cumulant_1 free_cumulant_4"
    asked += " log_capacity_heavy log_capacity_gauss"
    bare = Settings(convention=convention, bootstrap=0, mp_fit=False, randomize=False)
    assert set(always.split()) <= names(bare)
    assert set(asked.split()) <= names(replace(FULL, convention=convention)) - names(bare)
