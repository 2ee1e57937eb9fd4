"""Where what was measured is kept, behind `auditor.measuring.Memory`.

By measurement key: the same values, cut and settings, in any version, model or file, are
never decomposed twice.
"""

from dataclasses import dataclass, field

from auditor.memory.files import Kept
from auditor.records import Measured

__all__ = ["Kept", "Passing"]


@dataclass(frozen=True, slots=True)
class Passing:
    """In this process only: for looking at weights that leave nothing behind."""

    found: dict[str, Measured] = field(default_factory=dict)

    def recall(self, key: str) -> Measured | None:
        """What was measured under this key before."""
        return self.found.get(key)

    def keep(self, key: str, measured: Measured) -> None:
        """Keep numbers and eigenvalues."""
        self.found[key] = measured
