"""Messages on their way out: each to its address, in order, again later where that failed."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from auditor.ledger import Ledger, Outgoing
from auditor.telling.addresses import Address
from auditor.telling.news import Level

log = logging.getLogger(__name__)

PAUSE = timedelta(minutes=1)  # before a message that failed is sent again; doubled each time
TAKEN = timedelta(minutes=5)  # a message is nobody else's for so long; to send it takes 30 s
LONGEST_TRIED = timedelta(days=3)  # after that nobody wants to read it


def send(ledger: Ledger, addresses: Mapping[str, Address], at: datetime) -> None:
    """Send what is due; a process that dies between sending and writing so down sends again.

    Raises
    ------
    LedgerError
        If the ledger cannot be used now.
    """
    while taken := ledger.take_notices(at, TAKEN):
        for one in taken:
            address = addresses.get(one.notice.target)
            if address is not None:
                _send(ledger, address, one, at)


def _send(ledger: Ledger, address: Address, one: Outgoing, at: datetime) -> None:
    notice = one.notice
    reason = address.send(notice.title, notice.body, Level(notice.level))
    about = {"target": address.name, "key": notice.key}
    if reason is None:
        ledger.notified(one.id, at)
        log.info("%s was told", address.name, extra={"event": "notice.sent", **about})
    elif at - one.created_at > LONGEST_TRIED:
        ledger.abandon(one.id, reason)
        text = "%s could not be told for %d days, given up: %s"
        told = (address.name, LONGEST_TRIED.days, reason)
        log.error(text, *told, extra={"event": "notice.abandoned", **about})
    else:
        ledger.unnotified(one.id, reason, at, PAUSE)
        text = "%s could not be told: %s"
        log.warning(text, address.name, reason, extra={"event": "notice.failed", **about})
