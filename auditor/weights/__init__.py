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
from itertools import islice
from pathlib import PurePosixPath

from auditor.errors import SourceError, UsageError, WeightsError
from auditor.records import Role, SourceFile
from auditor.weights.choosing import wanted
from auditor.weights.formats import Blob, Contents, Format
from auditor.weights.gguf import GGUF
from auditor.weights.hdf5 import HDF5
from auditor.weights.inventory import Inventory, merge
from auditor.weights.keras import KERAS
from auditor.weights.names import PIPELINES, READ, is_weight_file, role_of
from auditor.weights.numpy_arrays import NUMPY
from auditor.weights.onnx import ONNX
from auditor.weights.opening import Opener
from auditor.weights.parts import Part
from auditor.weights.pt2 import PT2
from auditor.weights.safetensors import SAFETENSORS
from auditor.weights.tensors import Tensor, decode, digest
from auditor.weights.tflite import TFLITE
from auditor.weights.torch_legacy import TORCH_LEGACY
from auditor.weights.torch_zip import TORCH_ZIP
from auditor.weights.unsupported import POINTER, UNSUPPORTED

log = logging.getLogger(__name__)

__all__ = [
    "Inventory",
    "Tensor",
    "configs",
    "decode",
    "digest",
    "is_weight_file",
    "opened",
    "role_of",
    "wanted",
]

READERS: tuple[Format, ...] = (  # the last one takes every file
    SAFETENSORS,
    PT2,
    TORCH_ZIP,
    TORCH_LEGACY,
    NUMPY,
    KERAS,
    HDF5,
    GGUF,
    ONNX,
    TFLITE,
    UNSUPPORTED,
)
MOST_CONFIGS = 32
CONFIG_LIMIT = 8 << 20  # bytes of a configuration; the longest known, a list of classes, has 2


@contextmanager
def opened(
    files: Sequence[SourceFile], where: str, *, ranged: bool = False, unchecked: bool = False
) -> Iterator[Inventory]:
    """Open a version's weight files; their tensors can be read inside the ``with`` block.

    Parameters
    ----------
    files
        Every file of the version; those with role `Role.WEIGHTS` are read, but for what holds
        again what another one holds (`wanted`). Of such files only those that may run code
        when they are loaded are looked at, for that alone.
    where
        Names the place in error messages.
    ranged
        Of files that lie elsewhere only the parts that are read are fetched, where their
        source can do that; such a file is not verified. Else they are fetched whole, and
        held against their digests before a byte is parsed.
    unchecked
        No file is held against its digest, and none counts as verified: where names and
        shapes are all that is wanted, a large file need not be read for it.

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
        by_name, choice = {file.name: file for file in files}, wanted(files)
        opener = Opener(by_name, stack, ranged, unchecked)
        glancer = Opener(by_name, stack, True, unchecked)  # noqa: FBT003 - `ranged`, as above
        read = [
            *(_part(file, opener) for file in choice.used),
            *(_part(left.file, glancer) for left in choice.left_out if left.may_run),
        ]
        used = {name for part in read for name in part.contents.beside}
        parts = [part for part in read if part.name not in used or part.contents.holds_its_own]
        kept = {part.name for part in parts}
        outside = [opener.open(file).record for file in files if file.name in used - kept]
        indices = [file for file in files if file.role is Role.INDEX]
        merged = merge(parts, indices, outside, choice.left_out, _pipelines(files))
        yield replace(merged, configs=dict(configs(files)))


def _pipelines(files: Sequence[SourceFile]) -> frozenset[PurePosixPath]:
    """Folders whose sub-folders are components of one model."""
    paths = [PurePosixPath(file.name) for file in files]
    return frozenset(path.parent for path in paths if path.name.lower() in PIPELINES)


def configs(files: Sequence[SourceFile]) -> Iterator[tuple[str, bytes]]:
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


def _part(file: SourceFile, opener: Opener) -> Part:
    """Open one file, check that it is the file its source stated, and parse it."""
    found = opener.open(file)
    rank = _rank(found.blob)
    return Part(found.record, rank, _contents(READERS[rank], found.blob))


def _rank(blob: Blob) -> int:
    """Position of the first format that recognises the file; the last one takes all."""
    head = blob.head()
    if head.startswith(POINTER):  # whatever its name says
        return len(READERS) - 1
    return next(rank for rank, form in enumerate(READERS) if form.matches(blob, head))


def _contents(form: Format, blob: Blob) -> Contents:
    if not blob.size:
        return Contents(failure="is empty (0 bytes); fetch or save it again")
    try:
        return form.read(blob)
    except WeightsError as error:
        return Contents(failure=str(error))
