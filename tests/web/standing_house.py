"""A house whose ledger holds what a test puts there, served on a real socket."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from auditor.config import Config, Plugin
from auditor.config.service import Server, Target
from auditor.ledger import Ledger
from auditor.records import Rhythm
from auditor.web import House, create, listening

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@contextmanager
def house(folder: Path) -> Iterator[House]:
    """A house that watches ``mlflow`` every minute and the Hub each night."""
    url = f"sqlite:///{folder / 'auditor.db'}"
    config = Config(
        ledger=url,
        data=folder / "data",
        reports=folder / "reports",
        sources=(Plugin("folder", {"root": "models"}),),
        sinks=(Plugin("files"), Plugin("mlflow", {"name": "registry"})),
        server=Server(port=0),
        notify=(Target(name="team", url="json://localhost"),),
    )
    rhythms = {"hub": Rhythm(cron="0 2 * * *", timezone="UTC"), "mlflow": Rhythm(every=60.0)}
    ledger = Ledger.open(url)
    try:
        yield House(ledger, {}, config, rhythms, Clock(), nudge=lambda: None, begun=NOW)
    finally:
        ledger.close()


@contextmanager
def served(of: House) -> Iterator[str]:
    """The address a house is served at."""
    with listening(create(of), of.config.server) as address:
        yield address
