"""The table of all layers: a dozen columns to read, every number in the row's details."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from auditor.document import Document
from auditor.render.chart import AXES, CANVAS, spectrum
from auditor.render.findings import by_layer, changes, trap_text
from auditor.render.text import (
    NO_VALUE,
    change,
    exact,
    fixed,
    interval,
    json_text,
    number,
    plain,
)
from auditor.render.wording import ORIGINS, SEVERITIES

Fields = Mapping[str, Any]

TOLD = {"name", "shape", "index", "alpha_lo", "alpha_hi"}  # in the columns already
STRUCTURE = {
    "baseline",
    "before",
    "traps",
    "spectrum",
    "phase_reason",
}  # no cells: drawn or told apart
DIGITS = 5  # of the numbers in the page; the JSON beside it has all


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table; `key` names the embedded column it is sorted by."""

    key: str
    head: str
    hint: str
    text: Callable[["Subject"], str]


@dataclass(frozen=True, slots=True)
class Subject:
    """A layer with what is known about it."""

    layer: Fields
    before: Fields | None  # its comparison with the baseline
    found: Sequence[Fields]


@dataclass(frozen=True, slots=True)
class Row:
    """One layer, all text."""

    name: str
    state: str  # critical, warning, info, unjudged, clear: what the filter offers
    cells: tuple[str, ...]
    phase: str  # what its spectrum looks like, and by which numbers
    rest: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """All layers."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    states: tuple[tuple[str, str], ...]  # (value, words) of the filter
    data: str  # columnar JSON for the script, safe inside a script element


STATES = (
    ("critical", "with a critical finding"),
    ("warning", "with a warning"),
    ("info", "with information"),
    ("unjudged", "α not judged"),
    ("clear", "without a finding"),
)


def table(document: Document) -> Table:
    """The table and the numbers behind it."""
    found = by_layer(document["findings"])
    before = changes(document)
    subjects = [
        Subject(layer, before.get(layer["name"]), found.get(layer["name"], ()))
        for layer in document["layers"]
    ]
    columns = tuple(
        column for column in COLUMNS if document["comparison"] or column.key not in COMPARED
    )
    rows = tuple(_row(subject, columns) for subject in subjects)
    present = {row.state for row in rows}
    states = tuple(state for state in STATES if state[0] in present)
    return Table(columns, rows, states, embedded(subjects))


def _row(subject: Subject, columns: Sequence[Column]) -> Row:
    layer = subject.layer
    return Row(
        name=layer["name"],
        state=state(subject),
        cells=tuple(column.text(subject) for column in columns),
        phase=": ".join(filter(None, (layer.get("phase"), layer.get("phase_reason")))),
        rest=tuple(_rest(subject)),
    )


def state(subject: Subject) -> str:
    """What the filter calls a layer: its worst finding, else whether α was judged."""
    if subject.found:
        worst: str = subject.found[0]["severity"]
        return worst
    return "clear" if subject.layer.get("alpha") is not None else "unjudged"


def why_not_judged(layer: Fields) -> str:
    """Why a layer has no α, in words.

    Examples
    --------
    >>> why_not_judged({"status": "too few eigenvalues", "num_evals": 6})
    'not judged: only 6 eigenvalues'
    """
    few = "eigenvalue" if layer["num_evals"] == 1 else "eigenvalues"
    reasons = {
        "too few eigenvalues": f"only {layer['num_evals']:,} {few}",
        "zero": "all values are zero",
        "no tail": "no tail found",
    }
    return f"not judged: {reasons.get(layer['status'], layer['status'])}"


def phases(document: Document) -> str:
    """How many layers are in which phase, most first; nothing where none was decided.

    Examples
    --------
    >>> phases({"layers": [{"phase": "random-like"}, {"phase": None}, {"phase": "random-like"}]})
    '2 random-like'
    """
    found = Counter(layer["phase"] for layer in document["layers"] if layer["phase"])
    return ", ".join(f"{amount:,} {name}" for name, amount in found.most_common())


def _phase(subject: Subject) -> str:
    return subject.layer["phase"] or NO_VALUE


def _alpha(subject: Subject) -> str:
    layer = subject.layer
    if layer.get("alpha") is None:
        return why_not_judged(layer)
    ends = interval((layer.get("alpha_lo"), layer.get("alpha_hi")))
    return f"{fixed(layer['alpha'])} {ends}".rstrip()


def _finding(subject: Subject) -> str:
    names = []
    for finding in subject.found:
        origin = "" if finding["origin"] == "new" else f" ({ORIGINS[finding['origin']]})"
        names.append(f"{SEVERITIES[finding['severity']].glyph} {finding['check']}{origin}")
    return "\n".join(names) or NO_VALUE


def _moved(subject: Subject) -> str:
    return change(subject.before.get("d_alpha")) if subject.before else "new layer"


def _distance(subject: Subject) -> str:
    return number(subject.before.get("relative")) if subject.before else "new layer"


def _shape(subject: Subject) -> str:
    return shape(subject.layer["shape"])


def shape(sides: Sequence[int]) -> str:
    """A tensor's shape: ``512×64``."""
    return "×".join(map(str, sides)) or "scalar"


def _rank(subject: Subject) -> str:
    return f"{exact(subject.layer.get('matrix_rank'))} of {subject.layer['num_evals']:,}"


def _value(key: str, form: Callable[[float | None], str]) -> Callable[[Subject], str]:
    return lambda subject: form(subject.layer.get(key))


COMPARED = {"d_alpha", "relative"}
COLUMNS = (
    Column("findings", "Findings", "What the checks say about the layer", _finding),
    Column("kind", "Kind", "What the layer is", lambda subject: str(subject.layer["kind"])),
    Column("parameters", "Shape", "Shape as stored; sorted by number of values", _shape),
    Column("phase", "Phase", "What the spectrum looks like as training goes on", _phase),
    Column("alpha", "α [95 %]", "Exponent of the power law fitted to the tail", _alpha),
    Column("d_alpha", "Δα", "Change of α since the baseline", _moved),
    Column("D", "Fit D", "Distance of the tail from the fitted law; smaller fits better",
           _value("D", lambda value: fixed(value, 3))),
    Column("num_pl_spikes", "Tail", "Number of eigenvalues in the fitted tail",
           _value("num_pl_spikes", exact)),
    Column("log_spectral_norm", "log₁₀ λmax", "Size of the largest eigenvalue",
           _value("log_spectral_norm", fixed)),
    Column("stable_rank", "Stable rank", "Energy counted in copies of the strongest direction",
           _value("stable_rank", number)),
    Column("matrix_rank", "Rank", "Directions that carry more than rounding noise", _rank),
    Column("num_traps", "Traps", "Eigenvalues that stand out after shuffling the entries",
           _value("num_traps", exact)),
    Column("relative", "Distance", "Norm of the change of the weights over the baseline's norm",
           _distance),
)  # fmt: skip


def _rest(subject: Subject) -> Iterator[tuple[str, str]]:
    """Everything the columns leave out, so that nothing needs the script."""
    shown = {column.key for column in COLUMNS} | STRUCTURE | TOLD
    for fields in (subject.layer, subject.before or {}):
        for name, value in fields.items():
            if name not in shown and value is not None:
                yield name, _precise(value)
    for trap in subject.layer["traps"]:
        yield "trap", trap_text(trap)


def _precise(value: object) -> str:
    if isinstance(value, float) and not value.is_integer():
        return number(value, DIGITS)
    return plain(value)


def embedded(subjects: Sequence[Subject]) -> str:
    """Columnar JSON of all numbers and drawings, with `DIGITS` significant digits."""
    names = dict.fromkeys(name for s in subjects for name in s.layer if name not in STRUCTURE)
    away = dict.fromkeys(name for s in subjects for name in s.before or () if name not in STRUCTURE)
    merged = [{**(s.before or {}), **s.layer} for s in subjects]
    columns = {name: [_cell(fields.get(name)) for fields in merged] for name in names | away}
    columns["findings"] = [" ".join(f["check"] for f in s.found) or None for s in subjects]
    columns["parameters"] = [_product(s.layer["shape"]) for s in subjects]
    drawings = [spectrum(s.layer, s.before) for s in subjects]
    charts = [drawing and drawing.compact() for drawing in drawings]
    axes = [label.compact() for label in AXES]
    return script_safe({"columns": columns, "charts": charts, "canvas": CANVAS, "axes": axes})


def _product(sides: Sequence[int]) -> int:
    product = 1
    for side in sides:
        product *= side
    return product


def _cell(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    return "×".join(map(str, value)) if isinstance(value, list) else value


def script_safe(value: object) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json_text(value)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
