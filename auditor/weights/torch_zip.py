"""What ``torch.save`` writes since PyTorch 1.6: a zip of a pickle and raw storages.

State dicts, whole modules, checkpoints, TorchScript. The pickle is replayed by a machine that
executes nothing (`auditor.weights.pickles`); what it asked to import is reported.
"""

from io import BytesIO

from auditor.errors import WeightsError
from auditor.records import PickleGlobal
from auditor.weights.archive import Archive
from auditor.weights.checkpoint import find
from auditor.weights.formats import Blob, Contents, Format
from auditor.weights.nested import named_inside, recorded
from auditor.weights.pickles import SIZE_LIMIT, Unpickled, unpickle
from auditor.weights.views import Place, View, lay

PICKLE = "data.pkl"


def read(file: Blob) -> Contents:
    """The tensors of one file, named as ``state_dict()`` would.

    Raises
    ------
    WeightsError
        If the archive cannot be parsed. A pickle that cannot is a failure with its globals.
    """
    archive = Archive(file)
    if PICKLE not in archive:
        named = named_inside(file, archive, _is_raw)
        return Contents(
            globals=named, failure="a zip archive that torch.save did not write: it has no data.pkl"
        )
    unpickled = unpickle(BytesIO(archive.read(PICKLE, SIZE_LIMIT)))
    named = named_in(file, unpickled)
    try:
        named = tuple(dict.fromkeys((*named, *named_inside(file, archive, _is_raw))))
        return _contents(file, archive, unpickled, named)
    except WeightsError as error:
        return Contents(globals=named, failure=str(error))


def _contents(
    file: Blob, archive: Archive, unpickled: Unpickled, named: tuple[PickleGlobal, ...]
) -> Contents:
    if unpickled.problem:
        raise WeightsError(unpickled.problem)
    archive.must_be_little_endian()

    def place(view: View) -> Place:
        return archive.place(f"data/{view.storage}")

    found = find(unpickled.value)
    tensors, skipped = lay(file, found.tensors, place)
    return Contents(tuple(tensors), (*skipped, *found.beside), named)


def named_in(file: Blob, unpickled: Unpickled) -> tuple[PickleGlobal, ...]:
    """What a pickle asked to import, as records."""
    return tuple(recorded(file.name, name) for name in unpickled.globals)


def _is_raw(member: str) -> bool:
    """A storage, or the pickle that is replayed for its tensors."""
    return member.startswith("data/") or member == PICKLE


def _matches(file: Blob, head: bytes) -> bool:
    others = (".keras", ".npz", ".skops", ".pb", ".onnx")
    return head.startswith(b"PK\x03\x04") and not file.name.lower().endswith(others)


TORCH_ZIP = Format("torch.save", _matches, read)
