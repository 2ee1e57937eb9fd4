"""Transactions: the one way to the tables."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from auditor.errors import LedgerError


@dataclass(frozen=True, slots=True)
class Door:
    """A database that is open; what a ledger can do is in the classes made from it."""

    engine: Engine

    def close(self) -> None:
        """Let go of every connection."""
        self.engine.dispose()

    def _read(self) -> AbstractContextManager[Session]:
        return self._transaction(self.engine)

    def _write(self) -> AbstractContextManager[Session]:
        return self._transaction(self.engine.execution_options(writes=True))

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Session]:
        try:
            with Session(engine) as session, session.begin():
                yield session
        except OperationalError as error:
            shown = self.engine.url.render_as_string(hide_password=True)
            sentence = f"ledger {shown} cannot be used now: {error.orig}; nothing was changed"
            raise LedgerError(sentence) from error
