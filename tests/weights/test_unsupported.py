"""What is not read ends in a sentence that says what it is and what to convert it to."""

import io
import pickle
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.weights.reading import in_memory, source_file, the_failure


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("weights", "x")
    return stream.getvalue()


def tarred() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("model_weights.ckpt"))
    return stream.getvalue()


TABLE = bytes(100) + bytes.fromhex("57fb808b247547db")
GRAPH = b"\x0a\x31\x0a\x08wav_data\x12\x0bPlaceholder"
REFUSED = {  # what it is -> name, bytes, what the sentence says
    "GraphDef": ("net.pb", GRAPH, "tf2onnx.convert --graphdef FILE"),
    "SavedModel": ("saved_model.pb", b"\x08\x01\x12\x10", "tf2onnx.convert --saved-model FOLDER"),
    "TensorFlow 1 checkpoint": ("model.ckpt", TABLE, "tf.train.load_checkpoint"),
    "Flax": ("flax_model.msgpack", b"\x81\xa6params\x80", "safetensors.flax.save_file"),
    "Paddle": ("model.pdparams", b"\x01\x02\x03", "safetensors.paddle.save_file"),
    "Lua Torch": ("net.t7", b"\x04\0\0\0\x01\0\0\0", "torchfile"),
    "Core ML": ("net.mlmodel", b"\x08\x04\x12\x04abcd", "Core ML"),
    "Caffe": ("net.caffemodel", b"\x0a\x04VGG_", "Caffe"),
    "TensorRT": ("net.bin", b"ftrt" + bytes(60), "a TensorRT engine"),
    "NeMo": ("speech.nemo", tarred(), "a tar archive is not read here; unpack it"),
    "NeMo, new": ("speech.nemo", b"not ustar", "tar -xf"),
    "gzip": ("net.bin", b"\x1f\x8b\x08" + bytes(60), "a gzip archive is not read here; unpack it"),
    "zip": ("net.pb", zipped(), "a zip archive that is none of PyTorch's"),
    "web page": ("pytorch_model.bin", b"<!DOCTYPE html><html>", "a web page, not the file"),
    "server's error": ("pytorch_model.bin", b"<?xml version='1.0'?>", "an XML text"),
    "XGBoost": ("model.ubj", b"{L\0\0", "no layers to analyse"),
    "raw numbers": ("model.bin", bytes(range(64)), "numpy.savez"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_format_that_is_not_read_says_what_it_is_and_what_to_do(what):
    name, data, said = REFUSED[what]
    reason = the_failure(in_memory(name, data)).reason
    assert said in reason
    assert "\n" not in reason
    assert reason.startswith("unknown format") == (what == "raw numbers")


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return eval, ("1",)


@pytest.mark.parametrize("name", ["model.pdparams", "model.skops", "flax_model.msgpack"])
def test_a_pickle_under_another_formats_name_is_reported_with_what_it_names(name):
    failure = the_failure(in_memory(name, pickle.dumps(Evil(), protocol=4)))
    assert failure.dangerous
    assert "pickle" not in failure.reason  # but what the name says


def test_a_pickle_that_is_no_model_is_never_executed():
    failure = the_failure(in_memory("model.pkl", pickle.dumps([1, 2], protocol=0)))
    assert failure.reason.startswith("a pickle that is not torch.save's")


@pytest.mark.data
@pytest.mark.parametrize("name", ["DNN_S.pb", "DS_CNN_S.pb"])
def test_a_published_graph_is_refused_with_its_conversion(data: Path, name: str):
    failure = the_failure(source_file(data / "weights/kws_mcu/original" / name))
    assert "a TensorFlow graph" in failure.reason
    assert "python -m tf2onnx.convert --graphdef FILE --inputs NAME:0" in failure.reason


@pytest.mark.data
def test_a_published_dump_is_an_unknown_format_with_what_to_do(data: Path):
    failure = the_failure(source_file(data / "weights/stories260k/original/stories260K.bin"))
    assert failure.reason.startswith("unknown format")
    assert "safetensors.torch.save_file" in failure.reason
