"""Reports again, from audit documents that were stored as JSON."""

import json
from collections.abc import Sequence
from pathlib import Path

from auditor.document import SCHEMA, Document
from auditor.errors import UsageError
from auditor.render import FORMATS, render
from auditor.sinks.files import write_whole


def rewrite(file: Path, formats: Sequence[str], folder: Path) -> list[Path]:
    """Render the document in `file` into `folder`, under the same name.

    Raises
    ------
    UsageError
        If the file is no audit document, or there is no such format.
    """
    document = read(file)
    for fmt in formats:
        if fmt not in FORMATS:
            raise UsageError(f"no report format {fmt!r}; there are: {', '.join(FORMATS)}")
    targets = [folder / f"{file.stem}.{fmt}" for fmt in formats]
    for target, fmt in zip(targets, formats, strict=True):
        write_whole(target, render(document, fmt))
    return targets


def read(file: Path) -> Document:
    """The audit document in a file.

    Raises
    ------
    UsageError
        If there is no such file, or it holds something else.
    """
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{file} is not JSON: {error}") from error
    if not isinstance(document, dict) or not {"schema", "verdict", "layers"} <= document.keys():
        raise UsageError(f"{file} is no audit document; expected what auditor audit --json prints")
    if document["schema"] != SCHEMA:
        raise UsageError(
            f"{file} has schema {document['schema']!r}, this version reads {SCHEMA}; "
            "use the version of auditor that wrote it, or audit again"
        )
    return document
