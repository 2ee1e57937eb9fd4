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
)
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
from auditor.records.settings import Settings
from auditor.records.versions import (
    ModelVersion,
    Role,
    Seen,
    SourceFile,
    VersionId,
)

__all__ = [
    "PARTS",
    "UNTIMELY",
    "Audit",
    "Comparison",
    "Condition",
    "FileFailure",
    "FileRecord",
    "Finding",
    "FloatArray",
    "Histogram",
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
    "Reading",
    "Role",
    "Seen",
    "Settings",
    "Severity",
    "Skip",
    "SourceFile",
    "Trap",
    "Trend",
    "Verdict",
    "VersionId",
    "Waiver",
]
