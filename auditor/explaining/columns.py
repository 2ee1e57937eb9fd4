"""Metrics of a layer, and its distances from the baseline, in words."""

import inspect
from collections.abc import Mapping

from auditor import metrics
from auditor.config.options import Options
from auditor.policies.measured import SWITCHES
from auditor.policies.words import METRICS

CHANGES: Mapping[str, str] = {  # what is no metric of a layer alone; docs/distances.md
    "delta_W": "Frobenius norm of the change of the weights.",
    "relative": "Norm of the change of the weights over the baseline's norm.",
    "cosine": "One minus the cosine of the angle between the weights of both versions.",
    "esd_js": "Jensen-Shannon distance of the two spectra.",
    "esd_wasserstein": "1-Wasserstein distance of the two spectra, in decades.",
    "esd_zeros": "How many more eigenvalues are zero to rounding than in the baseline.",
    "cka_distance": "One minus the centred kernel alignment of both versions.",
    "ww_cka": "WeightWatcher's similarity of both versions; 1 for equal ones.",
    "subspace_overlap": "How much the strongest input directions of both versions overlap.",
    "delta_rank": "Effective rank of the change of the weights.",
    "delta_alpha": "Alpha of the spectrum of the change of the weights.",
    "d_alpha": "Change of alpha since the baseline.",
    "d_alpha_error": "Standard error of the change of alpha.",
    "d_log_spectral_norm": "Change of the log spectral norm since the baseline.",
    "d_log_norm": "Change of the log norm since the baseline.",
    "d_stable_rank": "Change of the stable rank since the baseline.",
}
BY_NAME = {metric.name: metric for metric in metrics.ALL}
PAGES = ("docs/metrics.md", "docs/distances.md")


def said_of(name: str) -> str:
    """What a column is: all that its metric says of itself, or what a distance is."""
    metric = BY_NAME.get(name)
    if metric is None:
        return CHANGES.get(name, "A distance from the baseline.")
    return (inspect.getdoc(metric.compute) or "").replace("``", "")


def measured(name: str) -> str:
    """When a column is there."""
    if name not in BY_NAME:
        return "where there is a baseline"
    audited = {metric.name for metric in metrics.columns(Options().settings)}
    if name in audited:
        return "in every audit"
    for switch in SWITCHES:
        more = Options().model_copy(update={switch: True})
        if name in {metric.name for metric in metrics.columns(more.settings)}:
            return f"with the option {switch}"
    return "with an option of its own"


def page(name: str) -> str:
    """The document that has its formula."""
    return PAGES[name not in BY_NAME]


def names() -> tuple[str, ...]:
    """All columns."""
    return METRICS
