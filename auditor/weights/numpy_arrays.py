"""``.npy`` and ``.npz``: arrays as NumPy writes them, and sparse matrices as SciPy does.

Read without ``numpy.load``, which holds an archive's whole array to give a part of it, and is
one option away from running the pickles that arrays of objects are.
"""

from io import BytesIO
from pathlib import PurePosixPath

from auditor.errors import WeightsError
from auditor.records import PickleGlobal, Skip
from auditor.weights.archive import Archive, Member
from auditor.weights.formats import Blob, Contents, Format
from auditor.weights.numpy_header import MAGIC
from auditor.weights.numpy_members import Array, array, inflated, must_be_no_bomb
from auditor.weights.numpy_sparse import is_sparse, matrix
from auditor.weights.pickles import SIZE_LIMIT, unpickle
from auditor.weights.tensors import Tensor
from auditor.weights.torch_zip import named_in
from auditor.weights.views import Place

SUFFIX = ".npy"
PICKLES = (".pkl", ".pickle")
NO_ARRAY = "no array: its name does not end in .npy"
MEMBERS_LIMIT = 10_000  # the most known are some 2,000; each costs a tenth of a millisecond


def read(file: Blob) -> Contents:
    """The arrays of one file.

    Raises
    ------
    WeightsError
        If the file cannot be parsed. A pickle is a failure that carries the globals it names.
    """
    return _single(file) if file.head().startswith(MAGIC) else _archive(file)


def _single(file: Blob) -> Contents:
    """The array of an ``.npy``, named after its file."""
    whole = Member(Place(0, file.size), file.size, deflated=False, crc=0)
    found = array(file, whole, PurePosixPath(file.name).stem)
    if found.header.reason:
        return Contents(globals=_named(found), failure=f"is not read: {found.header.reason}")
    return Contents((_tensor(found),))


def _archive(file: Blob) -> Contents:
    archive = Archive(file, rooted=False)
    members = {name: archive.member(name) for name in _at_most(archive)}
    must_be_no_bomb(members.values(), file.size)
    arrays = {
        name.removesuffix(SUFFIX): array(file, member, name.removesuffix(SUFFIX))
        for name, member in members.items()
        if name.endswith(SUFFIX)
    }
    others = [name for name in members if not name.endswith(SUFFIX)]
    named = [
        *(name for found in arrays.values() for name in _named(found)),
        *(name for other in others for name in _scanned(file, other, members[other])),
    ]
    if not arrays:
        failure = "is a zip archive without any NumPy array in it; save it again with numpy.savez"
        return Contents(globals=tuple(named), failure=failure)
    tensors, skipped = _read_or_not(file, arrays)
    first = next(iter(arrays.values())).header.reason
    is_empty = not tensors and not is_sparse(arrays)
    failure = f"holds no array of plain numbers: {first}" if is_empty else ""
    beside = (Skip(name, (), NO_ARRAY, read=False) for name in others)
    return Contents(tuple(tensors), (*skipped, *beside), tuple(dict.fromkeys(named)), failure)


def _at_most(archive: Archive) -> list[str]:
    names = list(archive)
    if len(names) > MEMBERS_LIMIT:
        raise WeightsError(
            f"has {len(names)} arrays; expected at most {MEMBERS_LIMIT}, save it in parts"
        )
    return names


def _read_or_not(file: Blob, arrays: dict[str, Array]) -> tuple[list[Tensor], list[Skip]]:
    """What is read and what is not, of an archive's arrays."""
    if is_sparse(arrays):
        found = matrix(file.name, arrays)
        return ([], [found]) if isinstance(found, Skip) else ([found], [])
    skipped = [
        Skip(name, a.header.shape, f"unreadable: {a.header.reason}", a.header.dtype, read=False)
        for name, a in arrays.items()
        if a.header.reason
    ]
    return [_tensor(a) for a in arrays.values() if not a.header.reason], skipped


def _tensor(found: Array) -> Tensor:
    stored = found.member.place.size - found.header.length
    return Tensor(
        name=found.name,
        shape=found.header.shape,
        dtype=found.header.dtype,
        file=found.file.name,
        read=found.values,
        stored=stored if found.member.deflated else None,
    )


def _named(found: Array) -> tuple[PickleGlobal, ...]:
    """What the pickle of an object array asks to import; it is replayed, never loaded."""
    if not found.header.pickled:
        return ()
    return named_in(found.file, unpickle(BytesIO(found.raw(SIZE_LIMIT))))


def _scanned(file: Blob, name: str, member: Member) -> tuple[PickleGlobal, ...]:
    """What a pickle that lies beside the arrays asks to import."""
    if not name.lower().endswith(PICKLES):
        return ()
    count, start = min(member.size, SIZE_LIMIT), member.place.start
    data = inflated(file, member, count) if member.deflated else file.read(start, count)
    return named_in(file, unpickle(BytesIO(data)))


def _matches(file: Blob, head: bytes) -> bool:
    is_archive = head.startswith(b"PK\x03\x04") and file.name.lower().endswith(".npz")
    return is_archive or head.startswith(MAGIC)


NUMPY = Format("NumPy", _matches, read)
