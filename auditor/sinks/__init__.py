"""Where audits go.

To add a sink: create ``sinks/<kind>.py`` with a frozen dataclass ``<Kind>`` that has the
method of `Sink`. Its fields are its settings in config.yaml.
"""

from typing import Protocol

from auditor.document import Document


class Sink(Protocol):
    """A place audits are delivered to."""

    @property
    def name(self) -> str:
        """The name its deliveries go by in the ledger."""

    def write(self, document: Document) -> None:
        """Deliver one audit; delivering the same audit twice leaves what once leaves.

        Raises
        ------
        SinkError
            If it could not be delivered; the others still get theirs, and this one is
            tried again alone.
        """
