"""Where versions stand."""

from collections.abc import Collection

from auditor.ledger import lookup, symptoms
from auditor.ledger.door import Door
from auditor.ledger.lookup import Stand, Wanted
from auditor.records import ModelVersion


class Lookup(Door):
    """Questions about some versions; lists are never longer than `limit`."""

    __slots__ = ()

    def listed(self, wanted: Wanted, *, limit: int, before: int | None = None) -> list[Stand]:
        """Versions that fit, the last one noted first; those with a number below `before`."""
        with self._read() as session:
            return lookup.listed(session, wanted, limit, before)

    def audited_of(self, source: str, model: str, *, limit: int | None = None) -> list[Stand]:
        """The newest audited versions of a model, oldest first."""
        with self._read() as session:
            return lookup.audited(session, source, model, limit)

    def models(self, name: str | None = None, *, limit: int) -> list[tuple[str, str]]:
        """Source and name of the models with an audit; of those with one name, if it is given."""
        with self._read() as session:
            return lookup.models(session, name, limit)

    def queue(self, limit: int) -> list[Stand]:
        """Versions in work, then those that wait, the most urgent first."""
        with self._read() as session:
            return lookup.queue(session, limit)

    def troubled(self, limit: int) -> list[Stand]:
        """Versions that failed, are gone or were refused, the last one noted first."""
        with self._read() as session:
            return lookup.problems(session, limit)

    def numbered(self, number: int) -> Stand | None:
        """The version with a number; None where there is none."""
        with self._read() as session:
            return lookup.numbered(session, number)

    def stand(self, version: ModelVersion) -> Stand | None:
        """Where a version stands; None where the ledger has not met it."""
        with self._read() as session:
            return lookup.stand(session, version)

    def symptoms(self, checks: Collection[str]) -> dict[str, set[tuple[str, str | None]]]:
        """Check and layer of what the newest version of each audited model has, of some checks."""
        with self._read() as session:
            return symptoms.symptoms(session, checks)
