"""A service's house on a real ledger and a folder of small models, and a server before it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from auditor.app import now
from auditor.config import Config, Plugin
from auditor.config.service import Server
from auditor.ledger import Ledger
from auditor.sources import Source
from auditor.sources.folder import Folder
from auditor.web import House, create, listening
from tests.models import weights, write

PATIENCE = 0.4  # seconds a request may take in tests that send slow ones


@dataclass
class Clock:
    """The real time, and what is added to it."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return now() + self.ahead


@dataclass
class Asked:
    """A running server, and what it did to the service behind it."""

    url: str
    house: House
    nudged: threading.Event = field(default_factory=threading.Event)

    def get(self, path: str, **how: Any) -> requests.Response:
        return requests.get(self.url + path, timeout=60, **how)

    def post(self, path: str, value: Any = None, **how: Any) -> requests.Response:
        given = {} if value is None else value
        return requests.post(self.url + path, json=given, timeout=60, **how)


@contextmanager
def house(at: Path, *sources: Source, clock: Clock | None = None, **server: Any) -> Iterator[House]:
    """On a new ledger below `at`; `server` are settings of that section."""
    url = f"sqlite:///{at / 'auditor.db'}"
    ledger = Ledger.open(url)
    nudged = threading.Event()
    config = Config(
        ledger=url,
        sources=(Plugin("folder", {"root": str(at)}),),
        server=Server(**{"port": 0, **server}),
        reports=at / "reports",
        data=at / ".auditor",
    )
    try:
        yield House(
            ledger=ledger,
            sources={source.name: source for source in sources},
            config=config,
            rhythms={source.name: source.usual for source in sources},
            clock=clock or Clock(),
            nudge=nudged.set,
        )
    finally:
        ledger.close()


@contextmanager
def served(found: House, patience: float = 30.0) -> Iterator[Asked]:
    """Requests to it are answered."""
    app = create(found, patience)
    with listening(app, found.config.server, patience) as url:
        nudged: threading.Event = found.nudge.__self__  # type: ignore[attr-defined]
        yield Asked(url, found, nudged)


def models(at: Path, count: int = 2, history: int | None = None) -> Folder:
    """A folder source with so many versions of one model."""
    for number in range(1, count + 1):
        write(at / "models" / "net" / str(number), weights(number), day=number)
    return Folder(root=at / "models", settle=0.0, history=history)
