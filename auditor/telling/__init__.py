"""Messages to people, when something changed: who is told of what, once, and in how many words.

What to tell is derived from the ledger: verdicts that were saved since a target was told last,
and what is wrong now that was not then. What a target knows is in the ledger, too, and is
written together with the messages that follow from it. A crash loses no message, and repeats
none but one that was sent when the process died before it wrote that down.

To tell of something else that goes wrong and gets right again: a function in `matters`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from auditor.ledger import Audited, Ledger
from auditor.naming import is_chosen
from auditor.records import Rhythm
from auditor.telling.addresses import Address, addresses
from auditor.telling.cleaning import name
from auditor.telling.deriving import Seen, derive
from auditor.telling.digest import Day, digest, is_due
from auditor.telling.matters import Matter, matters
from auditor.telling.memory import Memory
from auditor.telling.news import Level, News, message
from auditor.telling.sending import send
from auditor.telling.verdicts import verdict_news

__all__ = ["Address", "Level", "addresses", "meet", "queue", "tell", "trial"]


def tell(
    ledger: Ledger, targets: Sequence[Address], rhythms: Mapping[str, Rhythm], at: datetime
) -> None:
    """Queue what everybody has to be told, and send what is due.

    Call it every half minute or so. It returns within half a minute for each address whose
    service is silent.

    Parameters
    ----------
    ledger
        Where everything is written down.
    targets
        Everybody who is told, from `addresses`. What was queued for others is given up.
    rhythms
        When each configured source is looked at, by its name.
    at
        Now.

    Raises
    ------
    LedgerError
        If the ledger cannot be used now; nothing is lost.
    """
    queue(ledger, targets, rhythms, at)
    send(ledger, {address.name: address for address in targets}, at)


def meet(
    ledger: Ledger, targets: Sequence[Address], rhythms: Mapping[str, Rhythm], at: datetime
) -> None:
    """Take note of targets that are new: from now on they are told.

    Call it before any work, so that what the first minute brings is told, too.

    Raises
    ------
    LedgerError
        If the ledger cannot be used now.
    """
    new = [address for address in targets if ledger.memory(address.name) is None]
    wrong = matters(ledger, rhythms, at) if new else []
    for address in new:
        memory = Memory.new(ledger.newest_audit(), _concerning(address, wrong))
        ledger.tell(address.name, (None, memory.text), [], at)


def queue(
    ledger: Ledger, targets: Sequence[Address], rhythms: Mapping[str, Rhythm], at: datetime
) -> None:
    """Queue what everybody has to be told, and send nothing.

    Raises
    ------
    LedgerError
        If the ledger cannot be used now.
    """
    ledger.only_targets([address.name for address in targets])
    meet(ledger, targets, rhythms, at)
    wrong = matters(ledger, rhythms, at) if targets else []
    for address in targets:
        _queue(ledger, address, wrong, at)


def trial(address: Address) -> str | None:
    """Send a message that says it is a test; None once it was taken, else why it was not."""
    title = f"auditor: this is a test for {name(address.name)}"
    return address.send(title, "Messages of changes arrive here.", Level.INFO)


def _queue(ledger: Ledger, address: Address, wrong: Sequence[Matter], at: datetime) -> None:
    """Queue what one target has to be told, with what it knows then."""
    before = ledger.memory(address.name)
    if before is None:  # taken out by another process, just now
        return
    memory = Memory.of(before)
    mine = _concerning(address, wrong)
    heard = [one for one in mine if one.level.rank >= address.least.rank]
    audits = ledger.audited(memory.audit, memory.held)
    seen = Seen(
        at=at,
        audits=audits,
        judge=partial(_judge, ledger, address),
        matters=heard,
        wrong={one.subject for one in wrong},
        looks=ledger.first_looks(),
        least=address.least,
    )
    after, news = derive(memory, seen)
    notices = [message(news, address.name, at)] if news else []
    if is_due(after, address.digest, at):
        after, summary = digest(after, _day(ledger, address, memory, mine), address.name, at)
        notices += [summary] if summary is not None else []
    if after != memory:
        ledger.tell(address.name, (before, after.text), notices, at)


def _concerning(address: Address, wrong: Sequence[Matter]) -> list[Matter]:
    """Those that are about a model it is told of, or about everything."""
    return [one for one in wrong if one.model is None or is_chosen(one.model, address.models)]


def _judge(ledger: Ledger, address: Address, audit: Audited, *, awaited: bool) -> News | None:
    """Whether an audit is news for a target."""
    if not is_chosen(audit.version.model, address.models):
        return None
    (before,) = ledger.before([audit])
    return verdict_news(audit, before, address.links, awaited=awaited)


def _day(ledger: Ledger, address: Address, memory: Memory, mine: Sequence[Matter]) -> Day:
    audits = ledger.audited(memory.summed)
    chosen = [one for one in audits if is_chosen(one.version.model, address.models)]
    return Day(chosen, mine, ledger.states(), address.links)
