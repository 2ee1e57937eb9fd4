"""What a person said about a version, for readers."""

from auditor.document import Document
from auditor.render.text import moment


def decision(document: Document) -> str:
    """``Accepted until 2026-12-31 by a.ruiz: for the pilot``; empty where nothing holds.

    A page does not change when a decision ends: so it says until when it holds.
    """
    said = document["decision"]
    if said is None:
        return ""
    word = "Accepted" if said["accept"] else "Rejected"
    until = f" until {said['until']}" if said["until"] else ""
    return f"{word}{until} by {said['by']}: {said['reason']}"


def told(document: Document) -> str:
    """The same, with when and how it was said."""
    said = document["decision"]
    if said is None:
        return "nobody had accepted or rejected it"
    return f"{decision(document)} ({moment(said['at'])}, by {said['via']})"
