"""The one door to the database."""

from auditor.ledger.doors.auditing import Auditing
from auditor.ledger.doors.keeping import Keeping
from auditor.ledger.doors.lookup import Lookup
from auditor.ledger.doors.overview import Overlooking
from auditor.ledger.doors.rejudging import Rejudging
from auditor.ledger.doors.sending import Sending
from auditor.ledger.doors.serving import Serving
from auditor.ledger.doors.telling import Telling
from auditor.ledger.doors.watching import Watching
from auditor.ledger.doors.working import Working
from auditor.ledger.opening import open_engine


class Ledger(
    Watching,
    Working,
    Auditing,
    Rejudging,
    Sending,
    Lookup,
    Overlooking,
    Telling,
    Keeping,
    Serving,
):
    """What was seen, measured, concluded, decided and delivered.

    Each method is one transaction: it happened wholly or not at all. Threads and processes
    may share a ledger. Moments come in as arguments, with a time zone, and go out in UTC.
    The versions of a model are in order of creation, then of their name as people count.

    Raises
    ------
    LedgerError
        By every method, if the database cannot be used now: full, locked, gone.
    UsageError
        By what concerns one version's work, if the ledger has never met that version.
    """

    __slots__ = ()

    @classmethod
    def open(cls, url: str) -> "Ledger":
        """Reach a database, make it if it is a file that is not there, update its tables.

        Raises
        ------
        ConfigError
            If the URL is none, the place cannot be used, it holds something else, or it was
            written by a newer version of this program.
        """
        return cls(open_engine(url))
