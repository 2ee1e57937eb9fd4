"""``.keras``: a zip of ``config.json``, ``metadata.json`` and ``model.weights.h5``.

Keras stores its members as they are, so that the weights are read in place; where somebody
packed the archive again, the weights are inflated, at most once and never to more than the
directory says.

References
----------
``keras/src/saving/saving_lib.py`` in https://github.com/keras-team/keras
"""

import tempfile
import weakref
import zlib
from contextlib import ExitStack
from typing import BinaryIO, cast

from auditor.errors import WeightsError, translate
from auditor.weights.archive import Archive, Member
from auditor.weights.formats import Blob, Contents, Format
from auditor.weights.hdf5 import contents
from auditor.weights.hdf5_handle import Stretch
from auditor.weights.hdf5_tree import look
from auditor.weights.hdf5_values import is_credible
from auditor.weights.keras_config import CONFIG_LIMIT, parse

ENDS = (".keras",)
CONFIG, WEIGHTS = "config.json", "model.weights.h5"
PIECE = 1 << 20  # bytes inflated at a time
IN_MEMORY = 64 << 20  # bytes of inflated weights kept there; more go to a temporary file


def read(file: Blob) -> Contents:
    """The tensors of one file; what its configuration asks to import is reported with them.

    Raises
    ------
    WeightsError
        If the archive, or the HDF5 file in it, cannot be parsed, or has no weights.
    """
    archive = Archive(file, rooted=False)
    if WEIGHTS not in archive:
        raise WeightsError(
            f"its zip archive has no {WEIGHTS}; expected what model.save of Keras 3 writes"
        )
    model = parse(_config(file, archive), file.name)
    try:
        weights = _member(file, archive.member(WEIGHTS))
        return contents(weights, look(weights), model)
    except WeightsError as error:
        return Contents(globals=model.globals, failure=str(error))


def _config(file: Blob, archive: Archive) -> bytes:
    if CONFIG not in archive:
        return b""
    member = archive.member(CONFIG)
    if member.size > CONFIG_LIMIT:
        raise WeightsError(f"its {CONFIG} has {member.size} bytes, expected at most {CONFIG_LIMIT}")
    part = _member(file, member)
    return part.read(0, part.size)


def _member(file: Blob, member: Member) -> Blob:
    """A member as a file of its own, called as the archive is."""
    if not member.deflated:
        handle = cast("BinaryIO", Stretch(file, member.place.start, member.size))
    elif is_credible(member.size, member.place.size):
        handle = _inflated(file, member)
    else:
        raise WeightsError(
            f"a member of its zip archive states {member.size} bytes, of which "
            f"{member.place.size} are stored; it is made to fill memory"
        )
    part = Blob(file.name, member.size, handle, lambda _name, other: file.beside(other))
    weakref.finalize(part, handle.close)
    return part


def _inflated(file: Blob, member: Member) -> BinaryIO:
    """The bytes of a deflated member, which are as many as its directory states."""
    stream, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    doing = "inflating a member of its zip archive"
    with ExitStack() as stack, translate(zlib.error, OSError, to=WeightsError, doing=doing):
        found = stack.enter_context(tempfile.SpooledTemporaryFile(IN_MEMORY))
        for start in range(0, member.place.size, PIECE):
            count = min(PIECE, member.place.size - start)
            data = file.read(member.place.start + start, count)
            while data and size <= member.size and not stream.eof:
                size += found.write(stream.decompress(data, PIECE))
                data = stream.unconsumed_tail
        if not stream.unconsumed_tail:
            size += found.write(stream.flush())
        if size != member.size or not stream.eof:
            raise WeightsError(
                f"a member of its zip archive states {member.size} bytes and inflates to others"
            )
        stack.pop_all()  # it stays open as long as its blob
    return cast("BinaryIO", found)


def _matches(file: Blob, head: bytes) -> bool:
    return bool(head) and file.name.lower().endswith(ENDS)


KERAS = Format("Keras", _matches, read)
