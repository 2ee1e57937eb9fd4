"""What ``torch.save`` wrote before PyTorch 1.6: five pickles in a row, then raw storages.

The pickles are a magic number, a protocol version, facts about the machine, the object, and
the keys of the storages, which follow in that order, each behind its length in elements.
"""

from collections.abc import Iterable
from io import BytesIO

from auditor.errors import WeightsError
from auditor.weights.checkpoint import find, mapping
from auditor.weights.formats import Blob, Contents, Format
from auditor.weights.pickles import SIZE_LIMIT, Reference, Unpickled, unpickle
from auditor.weights.tensors import BITS
from auditor.weights.torch_values import storage_dtype, storage_key
from auditor.weights.torch_zip import named_in
from auditor.weights.views import Place, View, lay

MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"  # the number 0x1950a86a20f9469cfc6c, as pickled
PROTOCOL = 1001
PICKLES = 5


def read(file: Blob) -> Contents:
    """The tensors of one file, named as ``state_dict()`` would.

    A file that cannot be parsed is a failure that carries the globals its pickles name.
    """
    stream = BytesIO(file.read(0, min(file.size, SIZE_LIMIT)))
    pickles = [unpickle(stream)]
    while len(pickles) < PICKLES and not pickles[-1].problem:
        pickles.append(unpickle(stream))
    named = tuple(name for part in pickles for name in named_in(file, part))
    try:
        found = _contents(file, pickles, stream.tell())
    except WeightsError as error:
        return Contents(globals=named, failure=str(error))
    return Contents(found.tensors, found.skipped, named)


def _contents(file: Blob, pickles: list[Unpickled], start: int) -> Contents:
    if pickles[-1].problem:
        raise WeightsError(pickles[-1].problem)
    _magic, protocol, machine, model, keys = pickles
    if protocol.value != PROTOCOL or mapping(machine.value).get("little_endian") is not True:
        raise WeightsError("is not of the protocol 1001 in little-endian; save it again")
    places = _places(file, keys.value, model.references, start)

    def place(view: View) -> Place:
        if view.storage not in places:
            raise WeightsError(f"has no storage {view.storage[:100]!r}")
        return places[view.storage]

    found = find(model.value)
    tensors, skipped = lay(file, found.tensors, place)
    return Contents(tuple(tensors), (*skipped, *found.beside))


def _places(
    file: Blob, keys: object, references: Iterable[Reference], start: int
) -> dict[str, Place]:
    """Where each storage lies; their order is that of the keys."""
    sizes = {storage_key(ref): BITS.get(storage_dtype(ref), 0) // 8 for ref in references}
    places: dict[str, Place] = {}
    for key in keys if isinstance(keys, list) else ():
        if not isinstance(key, str) or not sizes.get(key) or key in places:
            raise WeightsError("has a storage of unknown kind, or one twice")
        count = int.from_bytes(file.read(start, 8), "little") * sizes[key]
        if start + 8 + count > file.size:
            raise WeightsError(
                f"storage {key[:100]!r} needs {count} bytes, more than are left; it is cut off"
            )
        places[key] = Place(start + 8, count)
        start += 8 + count
    return places


def _matches(_file: Blob, head: bytes) -> bool:
    return head.startswith(b"\x80") and MAGIC in head[:30]  # from protocol 4 on behind a frame


TORCH_LEGACY = Format("torch.save before 1.6", _matches, read)
