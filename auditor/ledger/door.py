"""Transactions: the one way to the tables."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, NotSupportedError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from auditor.errors import LedgerError
from auditor.ledger import engines

MISTAKES = (DataError, IntegrityError, NotSupportedError)  # a bug of ours, not the database


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
        with self._translated(), Session(engine) as session, session.begin():
            yield session

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except MISTAKES:
            raise
        except DBAPIError as error:
            shown, said = engines.shown(self.engine.url), engines.first_line(error)
            sentence = f"ledger {shown} cannot be used now: {said}; nothing was changed"
            raise LedgerError(sentence) from error
        except PoolTimeoutError as error:
            sentence = f"ledger {engines.shown(self.engine.url)} is asked by too many at once"
            raise LedgerError(f"{sentence}; nothing was changed") from error
