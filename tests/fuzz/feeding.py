"""Bytes fed to a reader the way `auditor.weights.opened` does it, and what must hold then."""

from io import BytesIO
from pathlib import Path

from auditor import weights
from auditor.errors import WeightsError
from auditor.weights.checkpoint import find
from auditor.weights.formats import Blob, Contents
from auditor.weights.pickles import unpickle
from auditor.weights.tensors import Tensor, is_decodable

SEEDS = Path(__file__).parent / "seeds"
BESIDE = bytes(range(256))  # what every name beside a file holds
SMALL = 1 << 20  # bytes of a tensor whose values are read too
MANY = 64  # tensors of one input whose values are read

FORMATS = {form.name: form for form in weights.READERS}
KINDS = {  # what is fuzzed -> the name of a file of it, and of its row in the table of readers
    "safetensors": ("model.safetensors", "safetensors"),
    "safetensors_header": ("model.safetensors", "safetensors"),
    "pickle": ("data.pkl", "unsupported"),
    "torch_zip": ("model.pt", "torch.save"),
    "torch_legacy": ("model.pth", "torch.save before 1.6"),
    "pt2": ("model.pt2", "torch.export"),
    "npy": ("model.npy", "NumPy"),
    "npz": ("model.npz", "NumPy"),
    "keras": ("model.keras", "Keras"),
    "hdf5": ("model.h5", "HDF5"),
    "gguf": ("model.gguf", "GGUF"),
    "onnx": ("model.onnx", "ONNX"),
    "tflite": ("model.tflite", "TensorFlow Lite"),
    "unsupported": ("model.bin", "unsupported"),
}


def feed(kind: str, data: bytes) -> Contents | None:
    """What a reader finds in some bytes; None where it refuses them.

    Anything but a `WeightsError` is let through: an error of the reader.
    """
    name, row = KINDS[kind]
    blob = Blob(name, len(data), BytesIO(data), _beside)
    for form in FORMATS.values():
        form.matches(blob, blob.head())
    read = {"safetensors_header": _headed, "pickle": _pickled}.get(kind, FORMATS[row].read)
    try:
        contents = read(blob)
    except WeightsError as error:
        must_be_short(str(error))
        return None
    must_be_short(contents.failure)
    for tensor in contents.tensors:
        must_be_sound(tensor)
    small = [tensor for tensor in contents.tensors if tensor.nbytes <= SMALL]
    for tensor in small[:MANY]:
        _values(tensor)
    return contents


def must_be_short(sentence: str) -> None:
    """An error is one sentence that nothing in a file can break or stretch."""
    assert len(sentence) < 3000, sentence
    assert sentence.isprintable(), sentence


def must_be_sound(tensor: Tensor) -> None:
    """A tensor's description is of the types and sizes that everything downstream expects."""
    assert isinstance(tensor.name, str)
    assert all(type(side) is int and side >= 0 for side in tensor.shape)
    assert tensor.nbytes < 2**63


def _values(tensor: Tensor) -> None:
    try:
        data = tensor.read()
    except WeightsError as error:
        must_be_short(str(error))
        return
    assert len(data) == tensor.nbytes
    if is_decodable(tensor.element):
        assert tensor.array(data).shape == tensor.shape


def _headed(blob: Blob) -> Contents:
    """A header whose length is right, so that mutations reach what is behind it."""
    text = blob.read(0, blob.size)
    data = len(text).to_bytes(8, "little") + text + bytes(24)
    return FORMATS["safetensors"].read(Blob(blob.name, len(data), BytesIO(data), _beside))


def _pickled(blob: Blob) -> Contents:
    unpickled = unpickle(BytesIO(blob.read(0, blob.size)))
    if not unpickled.problem:
        find(unpickled.value)
    return Contents(failure=unpickled.problem)


def _beside(_file: str, name: str) -> Blob:
    if name.startswith("."):
        raise WeightsError("leads out of the folder")
    return Blob("beside", len(BESIDE), BytesIO(BESIDE), _beside)
