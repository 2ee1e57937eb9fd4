"""Notices: messages to people, on their way to one address each."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from auditor.ledger.deliveries import LONGEST_PAUSE
from auditor.ledger.models import DeliveryState, NoticeRow
from auditor.ledger.work import doublings


@dataclass(frozen=True, slots=True)
class Notice:
    """A message; `key` says what it is about, and nobody gets the same key twice."""

    key: str
    target: str  # name of an entry under `notify:`
    level: str  # info, success, warning or failure
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message that has not reached its address yet."""

    id: int
    notice: Notice
    attempts: int  # that failed
    created_at: datetime


def add(session: Session, notices: Iterable[Notice], at: datetime) -> int:
    """Queue the messages whose key is new to their address; how many."""
    count = 0
    for notice in notices:
        known = select(NoticeRow.id).where(
            NoticeRow.key == notice.key, NoticeRow.target == notice.target
        )
        if session.scalar(known) is None:
            session.add(_row(notice, at))
            session.flush()
            count += 1
    return count


def take(session: Session, at: datetime, lease: timedelta) -> list[Outgoing]:
    """The oldest message of each address that waits, where it is due; for `lease` it is not.

    One that failed holds up those behind it, so that all arrive in the order they were made.
    """
    first = (
        select(func.min(NoticeRow.id))
        .where(NoticeRow.state == DeliveryState.PENDING)
        .group_by(NoticeRow.target)
    )
    query = (
        select(NoticeRow)
        .where(NoticeRow.id.in_(first), NoticeRow.next_at <= at)
        .order_by(NoticeRow.id)
    )
    rows = session.scalars(query).all()
    for row in rows:
        row.next_at = at + lease
    return [
        Outgoing(
            row.id,
            Notice(row.key, row.target, row.level, row.title, row.body),
            row.attempts,
            row.created_at,
        )
        for row in rows
    ]


def sent(session: Session, notice_id: int, at: datetime) -> None:
    """It has reached its address."""
    row = session.get_one(NoticeRow, notice_id)
    row.state, row.delivered_at, row.reason = DeliveryState.DELIVERED, at, None


def unsent(session: Session, notice_id: int, reason: str, at: datetime, pause: timedelta) -> None:
    """It could not be sent; it is tried again after a pause that doubles each time."""
    row = session.get_one(NoticeRow, notice_id)
    row.next_at = at + min(pause * doublings(row.attempts), LONGEST_PAUSE)
    row.attempts += 1
    row.reason = reason


def _row(notice: Notice, at: datetime) -> NoticeRow:
    return NoticeRow(
        key=notice.key,
        target=notice.target,
        level=notice.level,
        title=notice.title,
        body=notice.body,
        state=DeliveryState.PENDING,
        created_at=at,
        next_at=at,
    )
