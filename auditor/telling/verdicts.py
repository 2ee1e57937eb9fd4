"""Verdicts that are news: they differ from what people knew."""

from auditor.ledger import Audited, Before, State
from auditor.records import Verdict
from auditor.rejudging import own_words
from auditor.telling.cleaning import clean, name
from auditor.telling.links import Links
from auditor.telling.news import BY_VERDICT, News

LONGEST_REASON = 400


def verdict_news(audit: Audited, before: Before, links: Links, *, awaited: bool) -> News | None:
    """What an audit tells that was not known; None where that is nothing.

    A later audit of the same version with another verdict always is: what was announced is
    never silently taken back. The first audit of a version is where its verdict differs from
    that of the version before, where there is none before and it is not PASS, and where the
    version was given up. Versions older than their model was watched are none, but the newest.

    Parameters
    ----------
    audit, before
        The audit, and what was known when it was saved.
    links
        Where reports are.
    awaited
        It was found to be news before, and was kept back: no later version changes that.
    """
    if before.verdict is not None:
        again = before.verdict != audit.verdict
        return _news(audit, before.verdict, _again(audit), links) if again else None
    recent = audit.fresh or before.newest or awaited
    known = before.previous_verdict or Verdict.PASS
    given_up = audit.state == State.QUARANTINED
    if audit.backfilled or not recent or (known == audit.verdict and not given_up):
        return None
    if given_up:
        return _given_up(audit, links)
    was = f"version {name(before.previous)} was" if before.previous is not None else ""
    return _news(audit, known, was, links)


def _again(audit: Audited) -> str:
    """How a version came to a further audit."""
    is_rejudged = own_words(audit.reason) != audit.reason
    return f"{'judged' if is_rejudged else 'audited'} again, it was"


def _news(audit: Audited, known: str, was: str, links: Links) -> News:
    level, before = BY_VERDICT[audit.verdict], BY_VERDICT[known]
    relation = f" ({was} {known})" if was else ""
    return News(
        subject=f"audit {audit.id}",
        group=audit.version.series,
        word=audit.verdict,
        level=level,
        rank=max(level.rank, before.rank),
        title=f"{_named(audit)} {audit.verdict}{relation}",
        text=clean(audit.reason, LONGEST_REASON),
        link=links.of(audit.version, audit.audit_id),
    )


def _given_up(audit: Audited, links: Links) -> News:
    level = BY_VERDICT[Verdict.INCOMPLETE]
    return News(
        subject=f"audit {audit.id}",
        group=audit.version.series,
        word="quarantined",
        level=level,
        rank=level.rank,
        title=f"{_named(audit)} quarantined, it could not be audited",
        text=clean(audit.reason, LONGEST_REASON),
        link=links.of(audit.version, audit.audit_id),
    )


def _named(audit: Audited) -> str:
    return f"{name(audit.version.model)} {name(audit.version.version)}:"
