"""An audit document back into records: what an earlier audit measured and concluded.

Wants all keys of today's documents; a document of another time is `completed` first, as the
ledger does it with those it kept.

- ``earlier``: what documents of another time would say
- ``evidence``: what was read, measured and compared; all that a judgement needs
- ``layers``: a layer with everything measured on it, and against its baseline
- ``conclusions``: findings and decisions, and what it was measured with
- ``whole``: the record of an audit, from all of these
"""

from auditor.stored.conclusions import decision, findings, settings, version
from auditor.stored.earlier import LATER, completed
from auditor.stored.evidence import case, comparison, layers, profile, reading, skipped, trend
from auditor.stored.whole import audit, gate

__all__ = [
    "LATER",
    "audit",
    "case",
    "comparison",
    "completed",
    "decision",
    "findings",
    "gate",
    "layers",
    "profile",
    "reading",
    "settings",
    "skipped",
    "trend",
    "version",
]
