"""What was audited since somebody asked last: counted once, so that a count never falls.

Retention takes old audits away, and a counter that is asked of the whole table would run
backwards.
"""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from auditor.ledger.models import AuditRow
from auditor.ledger.standing import Tally


def tally(session: Session, after: int | None) -> Tally:
    """What was audited after the audit `after`; None: nothing yet, only where to begin."""
    last = session.scalar(select(func.max(AuditRow.id))) or 0
    if after is None or last <= after:
        return Tally(last, {}, 0, 0, 0.0)
    seconds, analysed, read = (
        AuditRow.document[outer][inner].as_float()
        for outer, inner in (
            ("timing", "seconds"),
            ("counts", "analysed"),
            ("weights", "bytes_read"),
        )
    )
    measured = seconds > 0.0  # one that repeats an earlier audit read and measured nothing
    query = (
        select(
            AuditRow.verdict,
            func.count(),
            func.sum(read).filter(measured),
            func.sum(analysed).filter(measured),
            func.sum(seconds),
        )
        .where(AuditRow.id > after, AuditRow.id <= last)
        .group_by(AuditRow.verdict)
    )
    rows = session.execute(query).all()
    return Tally(
        last=last,
        audits={verdict: count for verdict, count, *_ in rows},
        bytes_read=int(sum(row[2] or 0 for row in rows)),
        layers=int(sum(row[3] or 0 for row in rows)),
        seconds=sum(row[4] or 0.0 for row in rows),
    )
