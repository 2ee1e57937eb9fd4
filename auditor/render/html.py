"""The page: the view model in its template, with the hashes of what it may run."""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import auditor
from auditor.document import Document
from auditor.render.chart import AXES, CANVAS
from auditor.render.text import visible
from auditor.render.view import page

PACKAGE = Path(auditor.__file__).parent
FOLDERS = (PACKAGE / "templates", PACKAGE.parent / "templates")  # installed, checked out


def as_html(document: Document) -> str:
    """One self-contained page: no request, no library, readable without its script."""
    style, script = source("report.css"), source("report.js")
    policy = (
        f"default-src 'none'; style-src '{digest(style)}'; script-src '{digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    of = page(document)
    return (
        environment()
        .get_template("report.html")
        .render(
            page=of,
            policy=policy,
            style=Markup(style),  # noqa: S704 - ours, from the templates folder
            script=Markup(script),  # noqa: S704
            data=Markup(of.table.data),  # noqa: S704 - JSON without <, > and &
            canvas=CANVAS,
            axes=AXES,
        )
    )


@cache
def environment() -> Environment:
    """How every page is made: escaped, no name but as itself, a typing error is an error."""
    return Environment(
        loader=FileSystemLoader(FOLDERS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
        auto_reload=False,
    )


def _finalize(value: object) -> object:
    """No name shows as anything but itself; our own markup passes."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def source(name: str) -> str:
    """The text of a template or style sheet."""
    text, _, _ = environment().loader.get_source(environment(), name)  # type: ignore[union-attr]
    return text


def digest(text: str) -> str:
    """How a content security policy allows one inline style or script, and no other."""
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()
