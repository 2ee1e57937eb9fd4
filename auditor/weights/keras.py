"""``.keras``: a zip of ``config.json`` and ``model.weights.h5``."""

from auditor.errors import WeightsError
from auditor.weights.formats import Blob, Contents, Format

ENDS = (".keras",)


def read(file: Blob) -> Contents:
    """The tensors of one file.

    Raises
    ------
    WeightsError
        If the file cannot be parsed.
    """
    raise WeightsError(
        f"Keras archives are not read here ({file.name[-40:]}); convert it to safetensors"
    )


def _matches(file: Blob, head: bytes) -> bool:
    return bool(head) and file.name.lower().endswith(ENDS)


KERAS = Format("Keras", _matches, read)
