"""What was found, kept on file so that an interrupted campaign goes on."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TRIALS = tuple(f"benchmarks/calibration/{name}.py" for name in ("kinds", "matrices", "shapes"))
SAID_BY_REFERENCE = (*TRIALS, "benchmarks/calibration/reference.py")
SAID_BY_AUDITS = (
    *(*TRIALS, "benchmarks/calibration/auditing.py", "benchmarks/calibration/trained.py"),
    *(f"auditor/{room}/**/*.py" for room in ("spectral", "metrics", "checks", "policy")),
    *("auditor/records/*.py", "auditor/audit.py", "auditor/changes.py", "auditor/measuring/*.py"),
)

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Journal:
    """A file with a line for every trial; begun anew when other code made it."""

    path: Path
    found: dict[str, Rows] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path, sources: Iterable[str]) -> "Journal":
        """Read what is on file, as far as the code in `sources`, glob patterns, made it."""
        first = json.dumps({"code": _code(sources)})
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        lines = text.rpartition("\n")[0].splitlines()  # the last may have been cut off
        kept = lines if lines[:1] == [first] else [first]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        journal = cls(path)
        for line in kept[1:]:
            journal.found.update(json.loads(line))
        return journal

    def add(self, found: dict[str, Rows]) -> None:
        """Keep the outcomes of some trials."""
        self.found.update(found)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(found) + "\n")


def _code(sources: Iterable[str]) -> str:
    """Changes with every line of the files."""
    paths = sorted(path for pattern in sources for path in ROOT.glob(pattern))
    return sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()
