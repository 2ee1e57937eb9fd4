"""Audits judged again from what they measured, without reading weights.

- ``again``: the audit that the same measurements amount to under another policy
- ``missing``: columns that a policy asks for, from spectra that were kept
"""

from auditor.rejudging.again import (
    Known,
    accepted_before,
    concluded,
    differences,
    has_changed,
    own_words,
    rejudged,
    since,
)
from auditor.rejudging.missing import Recall, Spectra, completed, plausible

__all__ = [
    "Known",
    "Recall",
    "Spectra",
    "accepted_before",
    "completed",
    "concluded",
    "differences",
    "has_changed",
    "own_words",
    "plausible",
    "rejudged",
    "since",
]
