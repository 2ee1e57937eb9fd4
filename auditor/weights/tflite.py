"""``.tflite``: a FlatBuffer of operators and buffers."""

from auditor.errors import WeightsError
from auditor.weights.formats import Blob, Contents, Format

ENDS = (".tflite",)


def read(file: Blob) -> Contents:
    """The tensors of one file.

    Raises
    ------
    WeightsError
        If the file cannot be parsed.
    """
    raise WeightsError(
        f"TensorFlow Lite is not read here ({file.name[-40:]}); convert it to safetensors"
    )


def _matches(file: Blob, head: bytes) -> bool:
    return bool(head) and file.name.lower().endswith(ENDS)


TFLITE = Format("TensorFlow Lite", _matches, read)
