"""Formats that are recognised but not read here, and what to convert them to.

The last row of the table of readers: it takes every file. What looks like a pickle is
scanned, so that a hostile one is reported, also when nothing in it can be read.
"""

from io import BytesIO

from auditor.errors import WeightsError
from auditor.records import PickleGlobal
from auditor.weights.formats import Blob, Contents, Format
from auditor.weights.pickles import SIZE_LIMIT, unpickle
from auditor.weights.torch_zip import named_in

POINTER = b"version https://git-lfs"  # how a Git LFS pointer starts
CONVERT = "convert it to safetensors"
BY_HEAD = {  # first bytes -> what it is
    b"PK\x03\x04": f"a zip archive that is none of PyTorch's is not read here; {CONVERT}",
    POINTER: "a Git LFS pointer, not the file; fetch it with git lfs pull",
}
BY_SUFFIX = {
    ".pb": f"a TensorFlow graph is not read here; {CONVERT}",
    ".msgpack": f"Flax msgpack is not read here; {CONVERT}",
    ".skops": "a scikit-learn model has no layers to analyse",
    ".cb": "a CatBoost model has no layers to analyse",
    ".lgb": "a LightGBM model has no layers to analyse",
    ".ubj": "an XGBoost model has no layers to analyse",
}
PICKLED = f"a pickle that is not torch.save's is never executed here; {CONVERT}"
UNKNOWN = f"unknown format: its first bytes belong to no weight format known here; {CONVERT}"
PICKLES = 10  # in a row; torch.save wrote 5


def read(file: Blob) -> Contents:
    """Say what the file is.

    Raises
    ------
    WeightsError
        If it is no pickle. A pickle is a failure that carries the globals it names.
    """
    head = file.head()
    by_head = (text for start, text in BY_HEAD.items() if head.startswith(start))
    by_suffix = (text for end, text in BY_SUFFIX.items() if file.name.lower().endswith(end))
    known = next(by_head, None) or next(by_suffix, None)
    if known:
        raise WeightsError(known)
    named, complete = _scanned(file)
    return Contents(globals=named, failure=PICKLED if named or complete else UNKNOWN)


def _scanned(file: Blob) -> tuple[tuple[PickleGlobal, ...], bool]:
    """What the pickles at the start of a file name, and whether one of them is whole."""
    stream = BytesIO(file.read(0, min(file.size, SIZE_LIMIT)))
    named: dict[PickleGlobal, None] = {}
    for count in range(PICKLES):
        unpickled = unpickle(stream)
        named.update(dict.fromkeys(named_in(file, unpickled)))
        if unpickled.problem:
            return tuple(named), count > 0
    return tuple(named), True


def _matches(_file: Blob, _head: bytes) -> bool:
    return True


UNSUPPORTED = Format("unsupported", _matches, read)
