"""``.npy`` and ``.npz``: arrays as numpy writes them."""

from auditor.errors import WeightsError
from auditor.weights.formats import Blob, Contents, Format

ENDS = (".npy", ".npz")


def read(file: Blob) -> Contents:
    """The tensors of one file.

    Raises
    ------
    WeightsError
        If the file cannot be parsed.
    """
    raise WeightsError(
        f"NumPy files are not read here ({file.name[-40:]}); convert it to safetensors"
    )


def _matches(file: Blob, head: bytes) -> bool:
    return head.startswith((b"\x93NUMPY",)) or file.name.lower().endswith(ENDS)


NUMPY = Format("NumPy", _matches, read)
