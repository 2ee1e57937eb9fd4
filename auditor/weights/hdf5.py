"""``.h5``: what Keras saved before ``.keras``, and HDF5 of any other kind."""

from auditor.errors import WeightsError
from auditor.weights.formats import Blob, Contents, Format

ENDS = (".h5", ".hdf5")


def read(file: Blob) -> Contents:
    """The tensors of one file.

    Raises
    ------
    WeightsError
        If the file cannot be parsed.
    """
    raise WeightsError(
        f"HDF5 (Keras .h5) is not read here ({file.name[-40:]}); convert it to safetensors"
    )


def _matches(file: Blob, head: bytes) -> bool:
    return head.startswith((b"\x89HDF\r\n\x1a\n",)) or file.name.lower().endswith(ENDS)


HDF5 = Format("HDF5", _matches, read)
