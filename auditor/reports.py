"""Reports again, from audit documents that were stored as JSON."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from auditor import metrics, schema, stored
from auditor.document import SCHEMA, Document
from auditor.errors import UsageError
from auditor.records import Verdict
from auditor.render import FORMATS, TABLE, render
from auditor.sinks.files import write_whole

LIMIT = 1 << 30  # bytes; a document has some 3 kB a layer
LARGEST = 2**63  # whole numbers beyond it are no counts
COLUMNS = frozenset(metric.name for metric in metrics.ALL)
TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}


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
    targets = [folder / f"{file.stem}.{TABLE[fmt].ending}" for fmt in formats]
    for target, fmt in zip(targets, formats, strict=True):
        write_whole(target, _rendered(document, fmt, file))
    return targets


def _rendered(document: Document, fmt: str, file: Path) -> str:
    try:
        return render(document, fmt)
    except (ArithmeticError, ValueError) as error:
        wrong = f"a number of it cannot be drawn ({error})"
        raise UsageError(f"{file} was changed by hand or damaged: {wrong}; audit again") from error


def read(file: Path) -> Document:
    """The audit document in a file.

    Raises
    ------
    UsageError
        If there is no such file, or it holds something else.
    """
    document = _parsed(file)
    if not isinstance(document, dict) or not {"schema", "verdict", "layers"} <= document.keys():
        raise UsageError(f"{file} is no audit document; expected what auditor audit --json prints")
    if document["schema"] != SCHEMA:
        raise UsageError(
            f"{file} has schema {document['schema']!r}, this version reads {SCHEMA}; "
            "use the version of auditor that wrote it, or audit again"
        )
    wrong = next(misfits(document, schema.audit()), None) or _contradiction(document)
    if wrong:
        raise UsageError(f"{file} was changed by hand or damaged: {wrong}; audit again")
    return stored.completed(document)


def _contradiction(document: Document) -> str:
    """What no audit says: that all is well, and that a condition failed."""
    failed = next((row["condition"] for row in document["gate"] if not row["passed"]), None)
    if failed is None or document["verdict"] != Verdict.PASS:
        return ""
    return f"it says PASS, and that this failed: {failed[:100]}"


def _parsed(file: Path) -> object:
    try:
        if file.stat().st_size > LIMIT:
            raise UsageError(f"{file} is too large for an audit document: over {LIMIT:,} bytes")
        text = file.read_text(encoding="utf-8")
        return json.loads(text, parse_constant=_no_number, parse_float=_finite)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file} is not JSON: {error}") from error


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:50]} is too large a number")
    return number


def misfits(value: object, form: Mapping[str, Any], where: str = "") -> Iterator[str]:
    """Where a value does not fit a schema of ours, in words; nothing where it fits.

    Knows the words that `auditor.schema` uses. Unlike them it lets a document have other
    keys, and lack metrics and keys that came later: one written by another release of the
    same schema is rendered.
    """
    if "anyOf" in form:
        if all(any(True for _ in misfits(value, one, where)) for one in form["anyOf"]):
            yield from misfits(value, form["anyOf"][0], where)
    elif expected := _expected(value, form):
        yield f"{where or 'the document'} is {_short(value)}, expected {expected}"
    elif isinstance(value, dict):
        yield from _in_object(value, form, where)
    elif isinstance(value, list):
        yield from _in_array(value, form, where)


def _expected(value: object, form: Mapping[str, Any]) -> str:
    """What the schema asks for in place of this value; empty where it is that."""
    if "const" in form or "enum" in form:
        allowed = form.get("enum") or [form["const"]]
        return "" if value in allowed else " or ".join(map(str, allowed))
    moment = form.get("format") == "date-time"
    if not _is(value, form["type"]) or (moment and not _is_moment(str(value))):
        return "date and time" if moment else str(form["type"])
    if isinstance(value, int) and value < form.get("minimum", value):
        return f"{form['minimum']} or more"
    return ""


def _is(value: object, kind: str) -> bool:
    """Whether a value is of a JSON type; true is no number, and a number fits a double."""
    if isinstance(value, bool) and kind != "boolean":
        return False
    if isinstance(value, int) and abs(value) >= LARGEST:
        return False
    return isinstance(value, TYPES[kind])


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _in_object(value: Mapping[str, Any], form: Mapping[str, Any], where: str) -> Iterator[str]:
    known, others = form.get("properties", {}), form.get("additionalProperties")
    place = re.sub(r"\[\d+\]", "", where)
    wanted = (key for key in form.get("required", ()) if key not in value and key not in COLUMNS)
    missing = [key for key in wanted if f"{place}.{key}".lstrip(".") not in stored.LATER]
    if missing:
        yield f"{where or 'the document'} has no {missing[0]}"
    for key, part in value.items():
        inner = known.get(key, others)
        if inner:
            yield from misfits(part, inner, f"{where}.{key[:50]}".lstrip("."))


def _in_array(value: Sequence[Any], form: Mapping[str, Any], where: str) -> Iterator[str]:
    forms = form.get("prefixItems") or [form["items"]] * len(value)
    if len(value) != len(forms):
        yield f"{where} has {len(value)} entries, expected {len(forms)}"
    for index, (part, one) in enumerate(zip(value, forms, strict=False)):
        yield from misfits(part, one, f"{where}[{index}]")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"
