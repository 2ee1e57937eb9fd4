"""What a child may say, checked before anything is made of it, and the values both sides send.

Requests are checked strictly, one model each. Records come as JSON made them (lists where
tuples were), so numbers and texts in them are taken for what their fields say; whole numbers
are bounded, for what reads them later counts with 64 bits. A text may hold half of a surrogate
pair, as names in hostile files do, which is why the JSON is parsed before it is checked.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from auditor.errors import AuditorError, SourceError, UnreachableError, UsageError, WeightsError
from auditor.records import (
    Comparison,
    FloatArray,
    LayerChange,
    LayerRecord,
    Measured,
    Measurement,
    Module,
    Reading,
    Skip,
)
from auditor.wall.frames import ForgedError, Frame
from auditor.wall.jobs import Header

READ_LIMIT = 16 << 20  # bytes of one answer to `read`
CONFIG_LIMIT = 9 << 20  # a configuration that is read at all, as JSON again
SIDES = ("version", "baseline")
BATCH = 500  # skipped tensors in one message
WHOLE = 2**63

Whole = Annotated[int, Field(ge=0, lt=WHOLE)]
Key = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Message(BaseModel):
    """What every message of a child has in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Open(Message):
    """Give me a file: whole, or only as far as I read it."""

    say: Literal["open"]
    side: Literal["version", "baseline"]
    index: Whole
    ranged: bool


class Discard(Message):
    """What you keep of this file is damaged."""

    say: Literal["discard"]
    side: Literal["version", "baseline"]
    index: Whole


class Read(Message):
    """Bytes of an open file that lies elsewhere."""

    say: Literal["read"]
    handle: Whole
    offset: Whole
    count: Annotated[int, Field(ge=0, le=READ_LIMIT)]


class Close(Message):
    """I am done with it."""

    say: Literal["close"]
    handle: Whole


class Recall(Message):
    """Give me what was measured under this key before."""

    say: Literal["recall"]
    key: Key


class Keep(Message):
    """Keep this; the eigenvalues of every slice are in the body."""

    say: Literal["keep"]
    key: Key
    measurement: dict[str, Any]
    sizes: list[Whole]


class Build(Message):
    """Give me the modules of the model of this configuration."""

    say: Literal["build"]
    config: Annotated[str, Field(max_length=CONFIG_LIMIT)]


class Step(Message):
    """So much is done."""

    say: Literal["step"]
    done: Whole
    total: Whole
    name: str


class Alive(Message):
    """I am still at work."""

    say: Literal["alive"]


class Note(Message):
    """A line for the log."""

    say: Literal["note"]
    level: Literal["INFO", "WARNING", "ERROR"]
    event: Annotated[str, Field(pattern=r"^[a-z]+(\.[a-z]+)+$", max_length=100)]
    text: Annotated[str, Field(max_length=100_000)]


class Plan(Message):
    """Measuring may take so many seconds."""

    say: Literal["plan"]
    seconds: Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class Admit(Message):
    """Measuring needs so many bytes. Tell me to go on, and how many others do."""

    say: Literal["admit"]
    bytes: Whole


class Opened(Message):
    """All files are open, and this was read. Tell me to go on."""

    say: Literal["opened"]
    reading: dict[str, Any]


class Found(Message):
    """A part of the result."""

    say: Literal["found"]
    layers: list[dict[str, Any]] = []
    skipped: list[dict[str, Any]] = []
    changes: list[dict[str, Any]] = []
    headers: list[dict[str, Any]] = []


class Done(Message):
    """That was all."""

    say: Literal["done"]
    comparison: dict[str, Any] | None


class Failed(Message):
    """An error that is to be expected."""

    say: Literal["failed"]
    error: Annotated[str, Field(max_length=100)]
    text: str


@dataclass(frozen=True, slots=True)
class Paired:
    """What a comparison says besides its layers."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]  # (before, after)
    note: str


Said = Annotated[
    Open | Discard | Read | Close | Recall | Keep | Build | Step | Alive | Note | Plan | Admit
    | Opened | Found | Done | Failed,
    Field(discriminator="say"),
]  # fmt: skip
SAID: TypeAdapter[Any] = TypeAdapter(Said)
MEASUREMENT = TypeAdapter(Measurement)
READING = TypeAdapter(Reading)
LAYERS = TypeAdapter(tuple[LayerRecord, ...])
SKIPPED = TypeAdapter(tuple[Skip, ...])
HEADERS = TypeAdapter(tuple[Header, ...])
CHANGES = TypeAdapter(tuple[LayerChange, ...])
PAIRED = TypeAdapter(Paired)
MODULES = TypeAdapter(dict[str, Module])
ERRORS: Mapping[str, type[AuditorError]] = {  # that a job, or opening a file, may come to
    "SourceError": SourceError,
    "UnreachableError": UnreachableError,
    "UsageError": UsageError,
    "WeightsError": WeightsError,
}


def understood(frame: Frame) -> Message:
    """What a frame says.

    Raises
    ------
    ForgedError
        If it is nothing a child says.
    """
    try:
        found: Message = SAID.validate_python(frame.head)
    except ValidationError as error:
        raise ForgedError(f"a message that does not fit: {_first(error)}") from error
    return found


def record(adapter: TypeAdapter[Any], value: object) -> Any:  # noqa: ANN401 - the adapter's type
    """A record from JSON values.

    Raises
    ------
    ForgedError
        If it does not fit, or holds a whole number that no size or count has.
    """
    try:
        found = adapter.validate_python(value, strict=False)
    except ValidationError as error:
        raise ForgedError(f"a record that does not fit: {_first(error)}") from error
    _must_be_bounded(found)
    return found


def measured(frame: Frame, numbers: Mapping[str, Any], sizes: Sequence[int]) -> Measured:
    """Numbers, and the eigenvalues in a frame's body.

    Raises
    ------
    ForgedError
        If they do not fit.
    """
    if not sizes or 8 * sum(sizes) != len(frame.body):
        raise ForgedError(f"{len(frame.body)} bytes of eigenvalues, not {8 * sum(sizes)}")
    pooled: FloatArray = np.frombuffer(frame.body, "<f8").astype(np.float64)
    slices = tuple(np.split(pooled, np.cumsum(sizes)[:-1]))
    return Measured(record(MEASUREMENT, numbers), slices)


def paired(found: Comparison) -> dict[str, Any]:
    """What `Paired` takes of a comparison."""
    return asdict(Paired(found.added, found.removed, found.renamed, found.note))


def numbers_of(found: Measured) -> tuple[dict[str, Any], bytes]:
    """What `measured` takes: as JSON with sizes, and the eigenvalues."""
    head = {
        "measurement": MEASUREMENT.dump_python(found.measurement),
        "sizes": [len(values) for values in found.eigenvalues],
    }
    pooled = np.concatenate(found.eigenvalues) if found.eigenvalues else np.empty(0)
    return head, pooled.astype("<f8").tobytes()


def _first(error: ValidationError) -> str:
    """The first thing that is wrong; what was found is not repeated."""
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(map(str, problem['loc']))[:200]}: {problem['msg'][:200]}"


def _must_be_bounded(value: object) -> None:
    if isinstance(value, int) and not -WHOLE <= value < WHOLE:
        raise ForgedError("a whole number of more than 64 bits")
    for part in _parts(value):
        _must_be_bounded(part)


def _parts(value: object) -> Iterable[object]:
    if is_dataclass(value):
        return [getattr(value, part.name) for part in fields(value)]
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, tuple) else ()
