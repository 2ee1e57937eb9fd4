"""Where what was measured is kept, behind `auditor.measuring.Memory`."""

from dataclasses import dataclass, field

from auditor.audit import Measured
from auditor.ledger import Ledger
from auditor.ledger.spectra import Spectra


@dataclass(frozen=True, slots=True)
class Kept:
    """In the ledger and as files beside it; survives the process."""

    ledger: Ledger
    spectra: Spectra

    def recall(self, key: str) -> Measured | None:
        """What was measured under this key, if its spectrum is still there and whole."""
        numbers, eigenvalues = self.ledger.known(key), self.spectra.load(key)
        return Measured(numbers, eigenvalues) if numbers and eigenvalues else None

    def keep(self, key: str, measured: Measured) -> None:
        """Write eigenvalues, then commit numbers."""
        self.spectra.save(key, measured.eigenvalues)
        self.ledger.remember(key, key, measured.measurement)


@dataclass(frozen=True, slots=True)
class Passing:
    """In this process only: for looking at weights without a ledger."""

    found: dict[str, Measured] = field(default_factory=dict)

    def recall(self, key: str) -> Measured | None:
        """What was measured under this key before."""
        return self.found.get(key)

    def keep(self, key: str, measured: Measured) -> None:
        """Keep numbers and eigenvalues."""
        self.found[key] = measured
