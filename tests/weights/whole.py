"""A small whole file of every format that is read: each holds `WEIGHT`, its library wrote it."""

import json
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gguf
import h5py
import numpy as np
import onnx
import safetensors.numpy as st
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from tests.weights import test_tflite
from tests.weights.archives import export, weight
from tests.weights.reading import saved

WEIGHT: NDArray[np.float32] = np.random.default_rng(7).normal(size=(64, 80)).astype(np.float32)
NAME = "fc.weight"


def _safetensors(name: str) -> bytes:
    return st.save({name: WEIGHT})


def _torch(name: str) -> bytes:
    return saved({name: torch.from_numpy(WEIGHT)})


def _legacy(name: str) -> bytes:
    return saved({name: torch.from_numpy(WEIGHT)}, _use_new_zipfile_serialization=False)


def _pt2(name: str) -> bytes:
    strides = [{"as_int": WEIGHT.shape[1]}, {"as_int": 1}]
    return export({name: weight(sizes=WEIGHT.shape, strides=strides)}, weight_0=WEIGHT.tobytes())


def _npy(_name: str) -> bytes:
    stream = BytesIO()
    np.save(stream, WEIGHT)
    return stream.getvalue()


def _npz(name: str) -> bytes:
    stream = BytesIO()
    named: dict[str, Any] = {name: WEIGHT}
    np.savez(stream, **named)
    return stream.getvalue()


def _npz_deflated(name: str) -> bytes:
    stream = BytesIO()
    named: dict[str, Any] = {name: WEIGHT}
    np.savez_compressed(stream, **named)
    return stream.getvalue()


def _gguf(name: str) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.gguf"
        writer = gguf.GGUFWriter(path, "llama")
        writer.add_tensor(name, WEIGHT)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path.read_bytes()


def _hdf5(name: str) -> bytes:
    stream = BytesIO()
    with h5py.File(stream, "w") as file:
        file.create_dataset(name.replace("/", "_"), data=WEIGHT)
    return stream.getvalue()


def _keras(_name: str) -> bytes:
    inner, stream = BytesIO(), BytesIO()
    with h5py.File(inner, "w") as file:
        file.create_dataset("layers/dense/vars/0", data=WEIGHT)
    layer = {"module": "keras.layers", "class_name": "Dense", "config": {"name": "dense"}}
    config = {"class_name": "Sequential", "config": {"name": "net", "layers": [layer]}}
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.8.0"}))
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", inner.getvalue())
    return stream.getvalue()


def _onnx(name: str) -> bytes:
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, WEIGHT.shape[0]])
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, WEIGHT.shape[1]])
    node = helper.make_node("MatMul", ["x", name], ["y"])
    graph = helper.make_graph([node], "net", [x], [y], [numpy_helper.from_array(WEIGHT, name)])
    return bytes(helper.make_model(graph).SerializeToString())


def _tflite(name: str) -> bytes:
    return test_tflite.data_of([test_tflite.Part(name, WEIGHT)])


FILES: dict[str, Callable[[str], bytes]] = {  # a file's name -> the bytes, for a tensor's name
    "model.safetensors": _safetensors,
    "model.pt": _torch,
    "model.pth.tar": _legacy,
    "model.pt2": _pt2,
    "model.npy": _npy,
    "model.npz": _npz,
    "deflated.npz": _npz_deflated,
    "model.gguf": _gguf,
    "model.h5": _hdf5,
    "model.keras": _keras,
    "model.onnx": _onnx,
    "model.tflite": _tflite,
}
NAMELESS = {"model.npy", "model.keras"}  # where the format, not its writer, names the tensor
