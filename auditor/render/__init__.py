"""A report from an audit document: a page, and what CI servers, spreadsheets and people take.

Everything a report says is decided as text in `auditor.render.view` and its neighbours, and
can be tested there; the templates in ``templates/`` only place it. The page needs nothing
but itself: its one style and one script are named by their hashes in its content security
policy. The same document gives the same bytes.

To add a format: write a file with a function from document to text, and add it to `TABLE`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from auditor.document import Document
from auditor.errors import UsageError
from auditor.render.html import as_html
from auditor.render.junit import as_junit
from auditor.render.markdown import as_markdown
from auditor.render.plain import as_csv, as_findings, as_json
from auditor.render.sarif import as_sarif


@dataclass(frozen=True, slots=True)
class Format:
    """How a report is written, and how its file's name ends."""

    write: Callable[[Document], str]
    ending: str


TABLE: Mapping[str, Format] = {
    "html": Format(as_html, "html"),
    "json": Format(as_json, "json"),
    "csv": Format(as_csv, "csv"),
    "findings": Format(as_findings, "findings.csv"),
    "md": Format(as_markdown, "md"),
    "junit": Format(as_junit, "junit.xml"),
    "sarif": Format(as_sarif, "sarif"),
}
FORMATS = tuple(TABLE)


def render(document: Document, fmt: str = "html") -> str:
    """The report of one audit.

    Parameters
    ----------
    document
        An audit document, schema 1.
    fmt
        ``html`` the page, ``json`` the document itself, ``csv`` a row per layer, ``findings``
        a row per finding, ``md`` a comment for a pull request, ``junit`` the gate as test
        cases, ``sarif`` the findings as results of a tool.

    Raises
    ------
    UsageError
        If there is no such format.
    """
    if fmt not in TABLE:
        raise UsageError(f"no report format {fmt!r}; there are: {', '.join(FORMATS)}")
    return TABLE[fmt].write(document)
