"""Formats that are recognised but not read here, and what to convert them to.

The last row of the table of readers: it takes every file. What looks like a pickle is
scanned, so that a hostile one is reported, also when nothing in it can be read.
"""

import re
from io import BytesIO

from auditor.errors import WeightsError
from auditor.records import PickleGlobal
from auditor.weights.formats import Blob, Contents, Format
from auditor.weights.pickles import SIZE_LIMIT, unpickle
from auditor.weights.torch_zip import named_in

POINTER = b"version https://git-lfs"  # how a Git LFS pointer starts
PICKLE = b"\x80"  # how pickles of protocol 2 and later start
CONVERT = "convert it to safetensors"
UNPACK = "is not read here; unpack it and audit the files in it"
SHEET = "a web page, not the file: fetch it again, with a login where it needs one"
ENGINE = "a TensorRT engine is compiled for one GPU and not read here; audit the model it is from"
CHECKPOINT = (
    "a TensorFlow checkpoint is not read here; load it with tf.train.load_checkpoint and write "
    "its tensors with numpy.savez"
)
BY_HEAD = {  # first bytes -> what it is
    POINTER: "a Git LFS pointer, not the file; fetch it with git lfs pull",
    b"PK\x03\x04": f"a zip archive that is none of PyTorch's is not read here; {CONVERT}",
    b"\x1f\x8b": f"a gzip archive {UNPACK}",
    b"BZh": f"a bzip2 archive {UNPACK}",
    b"\xfd7zXZ\x00": f"an xz archive {UNPACK}",
    b"\x28\xb5\x2f\xfd": f"a zstd archive {UNPACK}",
    b"7z\xbc\xaf\x27\x1c": f"a 7z archive {UNPACK}",
    b"Rar!\x1a\x07": f"a rar archive {UNPACK}",
    b"<!DOCTYPE html": SHEET,
    b"<!doctype html": SHEET,
    b"<html": SHEET,
    b"<?xml": "an XML text, not weights: fetch the file again, it may be a server's error message",
    b"ftrt": ENGINE,
    b"ptrt": ENGINE,
}
AT = {(257, b"ustar"): f"a tar archive {UNPACK}"}  # offset and bytes there -> what it is
TABLE = bytes.fromhex("57fb808b247547db")  # LevelDB's last bytes; TensorFlow's tables are such
BY_NAME = (  # how a name ends -> what it is
    (
        r"saved_model\.pb",
        "a TensorFlow SavedModel is not read here; convert its folder with "
        "python -m tf2onnx.convert --saved-model FOLDER --output model.onnx",
    ),
    (
        r"\.pb",
        "a TensorFlow graph (GraphDef) is not read here; convert it with "
        "python -m tf2onnx.convert --graphdef FILE --inputs NAME:0 --outputs NAME:0 "
        "--output model.onnx",
    ),
    (r"\.(index|meta|data-[0-9]{5}-of-[0-9]{5})", CHECKPOINT),
    (
        r"\.msgpack",
        "Flax msgpack is not read here; flatten what flax.serialization.msgpack_restore gives "
        "and write it with safetensors.flax.save_file",
    ),
    (
        r"\.pd(params|iparams|model)",
        "a Paddle model is not read here; load it with paddle.load and write it with "
        "safetensors.paddle.save_file",
    ),
    (
        r"\.t7",
        "a Lua Torch file is not read here; load it with torchfile and write its arrays with "
        "numpy.savez",
    ),
    (
        r"\.mlmodel",
        "a Core ML model is not read here; audit the model it was converted from",
    ),
    (
        r"\.caffemodel",
        "a Caffe model is not read here; write its blobs with numpy.savez",
    ),
    (r"\.nemo", "a NeMo archive is not read here; unpack it with tar -xf and audit its .ckpt"),
    (r"\.(engine|plan|trt)", ENGINE),
    (r"\.ot", "a file of tch-rs that is no zip archive is not read here; save it as safetensors"),
    (r"\.skops", "a scikit-learn model has no layers to analyse"),
    (r"\.cb", "a CatBoost model has no layers to analyse"),
    (r"\.lgb", "a LightGBM model has no layers to analyse"),
    (r"\.ubj", "an XGBoost model has no layers to analyse"),
)
PICKLED = f"a pickle that is not torch.save's is never executed here; {CONVERT}"
UNKNOWN = (
    "unknown format: its first bytes belong to no weight format known here; write its tensors "
    "with safetensors.torch.save_file or numpy.savez"
)
PICKLES = 10  # in a row; torch.save wrote 5


def read(file: Blob) -> Contents:
    """Say what the file is.

    Raises
    ------
    WeightsError
        If it is no pickle. A pickle is a failure that carries the globals it names.
    """
    head, known = file.head(), _known(file)
    if known and not head.startswith(PICKLE):
        raise WeightsError(known)
    named, complete = _scanned(file)
    return Contents(globals=named, failure=known or (PICKLED if named or complete else UNKNOWN))


def _known(file: Blob) -> str:
    """What a file is by its bytes, else by its name; empty where neither tells."""
    head = file.head()
    found = [text for start, text in BY_HEAD.items() if head.startswith(start)]
    found += [text for (at, mark), text in AT.items() if head.startswith(mark, at)]
    if file.size >= len(TABLE) and file.read(file.size - len(TABLE), len(TABLE)) == TABLE:
        found.append(CHECKPOINT)
    name = file.name.lower()
    found += [text for end, text in BY_NAME if re.search(rf"{end}$", name)]
    return found[0] if found else ""


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
