"""What happened: versions, audits, decisions and deliveries in a database.

To change the tables: change ``models.py`` and add a revision to ``migrations/versions``;
``tests/ledger/test_opening.py`` holds the two together. What was
measured is kept as files, see `auditor.memory`.
"""

from auditor.ledger.claiming import Claim
from auditor.ledger.deciding import Decided
from auditor.ledger.deliveries import Delivery
from auditor.ledger.hints import Hint
from auditor.ledger.ledger import Ledger
from auditor.ledger.lookup import Stand, Wanted
from auditor.ledger.models import State
from auditor.ledger.notices import Notice, Outgoing
from auditor.ledger.noting import Told
from auditor.ledger.rejudging import Judged
from auditor.ledger.retention import Forgotten
from auditor.ledger.telling import Audited, Before, Stuck
from auditor.ledger.watching import SourceState
from auditor.ledger.work import Problem

__all__ = [
    "Audited",
    "Before",
    "Claim",
    "Decided",
    "Delivery",
    "Forgotten",
    "Hint",
    "Judged",
    "Ledger",
    "Notice",
    "Outgoing",
    "Problem",
    "SourceState",
    "Stand",
    "State",
    "Stuck",
    "Told",
    "Wanted",
]
