"""The nouns: frozen records handed from one station of the line to the next.

Nothing here reads a file, knows a vendor or computes. Arrays live only in `Layer`, and
only while that layer is being measured; everything that is kept is numbers and text.

A number that is undefined is ``nan`` in a record and ``null`` in JSON; never a sentinel.
"""

from auditor.records.audits import (
    Audit,
    FileFailure,
    FileRecord,
    PickleGlobal,
    Reading,
    Trend,
    weights_digest,
)
from auditor.records.changes import (
    NOTHING,
    Change,
    Gone,
    Known,
    Priority,
    Reached,
    Renamed,
    Said,
    Seen,
    Trouble,
)
from auditor.records.decisions import API, COMMAND, TAG, Decision, Statement, one_line
from auditor.records.findings import (
    Condition,
    Finding,
    Level,
    Origin,
    Severity,
    Verdict,
    Waiver,
)
from auditor.records.layers import (
    PARTS,
    UNTIMELY,
    Comparison,
    FloatArray,
    Histogram,
    Layer,
    LayerChange,
    LayerRecord,
    Matrix,
    Measured,
    Measurement,
    Module,
    Phase,
    Skip,
    Trap,
)
from auditor.records.profiles import Band, Profile
from auditor.records.rhythms import Rhythm
from auditor.records.settings import Settings
from auditor.records.versions import (
    ModelVersion,
    Role,
    SourceFile,
    VersionId,
)

__all__ = [
    "API",
    "COMMAND",
    "NOTHING",
    "PARTS",
    "TAG",
    "UNTIMELY",
    "Audit",
    "Band",
    "Change",
    "Comparison",
    "Condition",
    "Decision",
    "FileFailure",
    "FileRecord",
    "Finding",
    "FloatArray",
    "Gone",
    "Histogram",
    "Known",
    "Layer",
    "LayerChange",
    "LayerRecord",
    "Level",
    "Matrix",
    "Measured",
    "Measurement",
    "ModelVersion",
    "Module",
    "Origin",
    "Phase",
    "PickleGlobal",
    "Priority",
    "Profile",
    "Reached",
    "Reading",
    "Renamed",
    "Rhythm",
    "Role",
    "Said",
    "Seen",
    "Settings",
    "Severity",
    "Skip",
    "SourceFile",
    "Statement",
    "Trap",
    "Trend",
    "Trouble",
    "Verdict",
    "VersionId",
    "Waiver",
    "one_line",
    "weights_digest",
]
