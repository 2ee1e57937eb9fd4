"""``.onnx``: a graph and its initialisers."""

from auditor.errors import WeightsError
from auditor.weights.formats import Blob, Contents, Format

ENDS = (".onnx",)


def read(file: Blob) -> Contents:
    """The tensors of one file.

    Raises
    ------
    WeightsError
        If the file cannot be parsed.
    """
    raise WeightsError(f"ONNX is not read here ({file.name[-40:]}); convert it to safetensors")


def _matches(file: Blob, head: bytes) -> bool:
    return bool(head) and file.name.lower().endswith(ENDS)


ONNX = Format("ONNX", _matches, read)
