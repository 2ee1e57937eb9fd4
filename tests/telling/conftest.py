"""A ledger, people who are told, and a clock that tests move."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from auditor.config import Config
from auditor.ledger import Ledger
from auditor.records import ModelVersion, Rhythm, Verdict
from auditor.telling import Address, addresses, tell
from tests.ledger.conftest import file_url, made_file
from tests.ledger.makers import DAY, MINUTE, START, audited, note
from tests.telling.receiver import Receiver, receiving

__all__ = ["file_url", "made_file"]  # fixtures

HOURLY = {"mlflow": Rhythm(every=3600.0)}


@dataclass
class World:
    """A registry that is watched, an auditor that audits, and people who are told."""

    ledger: Ledger
    targets: tuple[Address, ...]
    at: datetime = START + DAY
    rhythms: dict[str, Rhythm] = field(default_factory=lambda: dict(HOURLY))

    def tell(self, after: timedelta = timedelta(0)) -> None:
        self.at += after
        tell(self.ledger, self.targets, self.rhythms, self.at)

    def look(self, *versions: ModelVersion, after: timedelta = timedelta(0)) -> None:
        self.at += after
        note(self.ledger, "mlflow", versions, "cursor", 1, self.at)

    def audit(self, version: ModelVersion, verdict: str = "PASS", **others: Any) -> None:
        document = audited(version, verdict=Verdict(verdict), **others)
        self.ledger.save(version, document, sinks=(), at=self.at)

    def judged(self, version: ModelVersion, verdict: str = "PASS") -> None:
        """Registered, audited, told: each as soon as it can be."""
        self.look(version, after=15 * MINUTE)
        self.audit(version, verdict)
        self.tell(after=MINUTE)


@pytest.fixture
def ledger(file_url: str) -> Iterator[Ledger]:
    opened = Ledger.open(file_url)
    yield opened
    opened.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def configured(*notify: dict[str, Any], **others: Any) -> Config:
    return Config.model_validate(
        {"sources": [{"kind": "folder", "root": "models"}], "notify": notify, **others}
    )


def team(receiver: Receiver, **others: Any) -> dict[str, Any]:
    return {"name": "team", "url": receiver.url, **others}


@pytest.fixture
def world(ledger: Ledger, receiver: Receiver) -> World:
    """One target that was met when nothing had happened yet."""
    found = World(ledger, addresses(configured(team(receiver))))
    found.look()
    found.tell()
    return found
