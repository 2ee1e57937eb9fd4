"""Where measurements and spectra are kept, behind `auditor.measuring.Memory`."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from auditor.ledger import Ledger
from auditor.ledger.spectra import Spectra
from auditor.records import FloatArray, Measurement


@dataclass(frozen=True, slots=True)
class Kept:
    """In the ledger and as files beside it; survives the process."""

    ledger: Ledger
    spectra: Spectra

    def known(self, key: str) -> Measurement | None:
        """The numbers measured under this key before, if any."""
        return self.ledger.known(key)

    def remember(self, key: str, digest: str, measurement: Measurement) -> None:
        """Commit numbers."""
        self.ledger.remember(key, digest, measurement)

    def spectrum(self, key: str) -> tuple[FloatArray, ...] | None:
        """Eigenvalues by slice, if their file is there and whole."""
        return self.spectra.load(key)

    def keep_spectrum(self, key: str, eigenvalues: Sequence[FloatArray]) -> None:
        """Write eigenvalues."""
        self.spectra.save(key, eigenvalues)


@dataclass(frozen=True, slots=True)
class Passing:
    """In this process only: for looking at weights without a ledger."""

    numbers: dict[str, Measurement] = field(default_factory=dict)
    spectra: dict[str, tuple[FloatArray, ...]] = field(default_factory=dict)

    def known(self, key: str) -> Measurement | None:
        """The numbers measured under this key before, if any."""
        return self.numbers.get(key)

    def remember(self, key: str, digest: str, measurement: Measurement) -> None:  # noqa: ARG002
        """Keep numbers."""
        self.numbers[key] = measurement

    def spectrum(self, key: str) -> tuple[FloatArray, ...] | None:
        """Eigenvalues by slice."""
        return self.spectra.get(key)

    def keep_spectrum(self, key: str, eigenvalues: Sequence[FloatArray]) -> None:
        """Keep eigenvalues."""
        self.spectra[key] = tuple(eigenvalues)
