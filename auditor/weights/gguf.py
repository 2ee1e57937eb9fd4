"""``.gguf``: what llama.cpp runs."""

from auditor.errors import WeightsError
from auditor.weights.formats import Blob, Contents, Format

ENDS = (".gguf",)


def read(file: Blob) -> Contents:
    """The tensors of one file.

    Raises
    ------
    WeightsError
        If the file cannot be parsed.
    """
    raise WeightsError(f"GGUF is not read here ({file.name[-40:]}); convert it to safetensors")


def _matches(file: Blob, head: bytes) -> bool:
    return head.startswith((b"GGUF",)) or file.name.lower().endswith(ENDS)


GGUF = Format("GGUF", _matches, read)
