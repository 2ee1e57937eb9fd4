"""Weight files -> tensors, without running anything a model brings along.

`opened` recognises each file by its first bytes, reads names, shapes and places, and reads a
tensor's values when asked for them. A file that cannot be parsed is recorded and the others
are read all the same.

To add a format: create ``weights/<format>.py`` with a `Format`, put it into `READERS` below
in order of preference (where a model lies in a folder twice, the first that has it is used),
and make `names.WEIGHTS` know its suffix. Its ``read`` gets a `Blob`, trusts no number in it,
checks every size against the file's before it allocates, and raises `WeightsError` with one
sentence.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from hashlib import sha256
from itertools import islice
from typing import BinaryIO

from auditor.errors import SourceError, UsageError, WeightsError, translate
from auditor.records import FileRecord, Role, SourceFile
from auditor.weights.formats import Blob, Contents, Format
from auditor.weights.inventory import Inventory, Part, merge
from auditor.weights.names import READ, is_weight_file, role_of
from auditor.weights.pt2 import PT2
from auditor.weights.safetensors import SAFETENSORS
from auditor.weights.tensors import Tensor, decode, digest
from auditor.weights.torch_legacy import TORCH_LEGACY
from auditor.weights.torch_zip import TORCH_ZIP
from auditor.weights.unsupported import UNSUPPORTED

log = logging.getLogger(__name__)

__all__ = [
    "Inventory",
    "Tensor",
    "decode",
    "digest",
    "is_weight_file",
    "opened",
    "role_of",
]

READERS: tuple[Format, ...] = (  # the last one takes every file
    SAFETENSORS,
    PT2,
    TORCH_ZIP,
    TORCH_LEGACY,
    UNSUPPORTED,
)
CHUNK = 8 << 20  # bytes hashed at a time
MOST_CONFIGS = 32
CONFIG_LIMIT = 8 << 20  # bytes of a configuration; the longest known, a list of classes, has 2


@contextmanager
def opened(files: Sequence[SourceFile], where: str) -> Iterator[Inventory]:
    """Open a version's weight files; their tensors can be read inside the ``with`` block.

    Parameters
    ----------
    files
        Every file of the version; those with role `Role.WEIGHTS` are read.
    where
        Names the place in error messages.

    Raises
    ------
    UsageError
        If there is no weight file at all.
    SourceError
        If a file cannot be fetched, or has not the size or digest its source states. A file
        that is whole but cannot be parsed is no exception: it is in ``reading.failures``.
    """
    weights = [file for file in files if file.role is Role.WEIGHTS]
    if not weights:
        raise UsageError(
            f"no weight file in {where}: found {_few(files)}; expected {', '.join(READ)}"
        )
    with ExitStack() as stack:
        parts = [_part(file, stack) for file in weights]
        merged = merge(parts, [file for file in files if file.role is Role.INDEX])
        yield replace(merged, configs=dict(_configs(files)))


def _configs(files: Sequence[SourceFile]) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every JSON configuration; one that cannot be had is only noted."""
    named = (file for file in files if file.role is Role.CONFIG and file.size <= CONFIG_LIMIT)
    for file in islice((file for file in named if file.name.endswith(".json")), MOST_CONFIGS):
        try:
            with file.open() as handle:
                yield file.name, handle.read(CONFIG_LIMIT)
        except (OSError, SourceError) as error:
            log.warning("%r: %s", file.name, error, extra={"event": "config.unread"})


def _few(files: Sequence[SourceFile]) -> str:
    names = sorted(file.name[:80] for file in files)
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more if names else "nothing"


def _part(file: SourceFile, stack: ExitStack) -> Part:
    """Open one file, check that it is the file its source stated, and parse it."""
    with translate(OSError, to=SourceError, doing=f"reading {file.name!r}"):
        handle = stack.enter_context(file.open())
        digest_of_file = _verified(file, handle)
    record = FileRecord(file.name, file.size, digest_of_file, verified=True)
    blob = Blob(file.name, file.size, handle)
    rank = _rank(blob)
    return Part(record, rank, _contents(READERS[rank], blob))


def _verified(file: SourceFile, handle: BinaryIO) -> str:
    """SHA-256 of the whole file, which has the size and digest its source states."""
    total, size = sha256(), 0
    while chunk := handle.read(CHUNK):
        total.update(chunk)
        size += len(chunk)
    if size != file.size:
        raise SourceError(f"{file.name!r} has {size} bytes, its source states {file.size}")
    if file.sha256 is not None and total.hexdigest() != file.sha256.lower():
        raise SourceError(
            f"{file.name!r} has SHA-256 {total.hexdigest()}, its source states {file.sha256}; "
            "it was damaged on the way or changed"
        )
    return total.hexdigest()


def _rank(blob: Blob) -> int:
    """Position of the first format that recognises the file; the last one takes all."""
    head = blob.head()
    return next(rank for rank, form in enumerate(READERS) if form.matches(blob, head))


def _contents(form: Format, blob: Blob) -> Contents:
    if not blob.size:
        return Contents(failure="is empty (0 bytes); fetch or save it again")
    try:
        return form.read(blob)
    except WeightsError as error:
        return Contents(failure=str(error))
