"""Formats that are recognised but not read here, and what to convert them to."""

from auditor.errors import WeightsError
from auditor.weights.formats import Blob, Contents, Format

CONVERT = "convert it to safetensors"
BY_HEAD = {  # first bytes -> what it is
    b"\x89HDF\r\n\x1a\n": f"HDF5 (Keras .h5) is not read here; {CONVERT}",
    b"GGUF": f"GGUF is not read here; {CONVERT}",
    b"PK\x03\x04": f"a zip archive that is none of PyTorch's is not read here; {CONVERT}",
    b"\x93NUMPY": f"a single numpy array is not read here; {CONVERT}",
}
BY_SUFFIX = {
    ".h5": f"HDF5 (Keras .h5) is not read here; {CONVERT}",
    ".keras": f"a Keras archive is not read here; {CONVERT}",
    ".onnx": f"ONNX is not read here; {CONVERT}",
    ".gguf": f"GGUF is not read here; {CONVERT}",
    ".pb": f"a TensorFlow graph is not read here; {CONVERT}",
    ".tflite": f"TensorFlow Lite is not read here; {CONVERT}",
    ".msgpack": f"Flax msgpack is not read here; {CONVERT}",
    ".pkl": f"a pickle is never executed here; {CONVERT}",
    ".pickle": f"a pickle is never executed here; {CONVERT}",
    ".joblib": f"a pickle is never executed here; {CONVERT}",
    ".skops": "scikit-learn models have no layers to analyse",
    ".cb": "CatBoost models have no layers to analyse",
    ".lgb": "LightGBM models have no layers to analyse",
    ".ubj": "XGBoost models have no layers to analyse",
}
EMPTY = "is empty (0 bytes); fetch or save it again"
UNKNOWN = f"unknown format: its first bytes belong to no weight format known here; {CONVERT}"


def read(file: Blob) -> Contents:
    """Say what the file is.

    Raises
    ------
    WeightsError
        Always.
    """
    head = file.head()
    if not head:
        raise WeightsError(EMPTY)
    by_head = (text for start, text in BY_HEAD.items() if head.startswith(start))
    by_suffix = (text for end, text in BY_SUFFIX.items() if file.name.lower().endswith(end))
    raise WeightsError(next(by_head, None) or next(by_suffix, UNKNOWN))


def _matches(_file: Blob, _head: bytes) -> bool:
    return True


UNSUPPORTED = Format("unsupported", _matches, read)
