"""A report from an audit document, as a page, JSON, CSV or Markdown.

Everything a report says is decided as text in `auditor.render.view` and its neighbours, and
can be tested there; the templates in ``templates/`` only place it. The page needs nothing
but itself: its one style and one script are named by their hashes in its content security
policy. The same document gives the same bytes.
"""

from collections.abc import Callable, Mapping

from auditor.document import Document
from auditor.errors import UsageError
from auditor.render.html import as_html
from auditor.render.plain import as_csv, as_json, as_markdown

WRITERS: Mapping[str, Callable[[Document], str]] = {
    "html": as_html,
    "json": as_json,
    "csv": as_csv,
    "md": as_markdown,
}
FORMATS = tuple(WRITERS)


def render(document: Document, fmt: str = "html") -> str:
    """The report of one audit.

    Parameters
    ----------
    document
        An audit document, schema 1.
    fmt
        ``html`` the page, ``json`` the document itself, ``csv`` a row per layer,
        ``md`` a short summary.

    Raises
    ------
    UsageError
        If there is no such format.
    """
    if fmt not in WRITERS:
        raise UsageError(f"no report format {fmt!r}; there are: {', '.join(FORMATS)}")
    return WRITERS[fmt](document)
