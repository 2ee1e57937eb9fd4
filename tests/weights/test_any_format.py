"""One model in every format: the same digests, the same numbers to the last bit."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gguf
import h5py
import numpy as np
import onnx
import pytest
import safetensors.numpy as st
import torch
from numpy.typing import NDArray
from torch import nn

import auditor
from tests.weights.reading import digests, source_file

pytestmark = pytest.mark.wide

State = Mapping[str, NDArray[np.float32]]


class Net(nn.Module):
    """A convolution, two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 16, 3)
        self.fc = nn.Linear(64, 48)
        self.head = nn.Linear(48, 24)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.fc(self.conv(x).reshape(-1, 64)))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def net() -> Net:
    torch.manual_seed(7)
    return Net().eval()


def state_of(net: Net) -> State:
    return {name: value.numpy() for name, value in net.state_dict().items()}


def as_torch(path: Path, net: Net) -> None:
    torch.save(net.state_dict(), path)


def as_legacy(path: Path, net: Net) -> None:
    torch.save(net.state_dict(), path, _use_new_zipfile_serialization=False)


def as_safetensors(path: Path, net: Net) -> None:
    st.save_file(dict(state_of(net)), path)


def as_export(path: Path, net: Net) -> None:
    torch.export.save(torch.export.export(net, (torch.zeros(2, 8, 4, 4),)), path)


def as_npz(path: Path, net: Net) -> None:
    arrays: Any = state_of(net)
    np.savez(path, **arrays)


def as_gguf(path: Path, net: Net) -> None:
    writer = gguf.GGUFWriter(path, "net")
    for name, value in state_of(net).items():
        writer.add_tensor(name, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def as_hdf5(path: Path, net: Net) -> None:
    with h5py.File(path, "w") as file:
        for name, value in state_of(net).items():
            file[name.replace(".", "/")] = value


def as_onnx(path: Path, net: Net) -> None:
    """As torch exports it: linear layers are Gemm with the right-hand side transposed."""
    make = onnx.helper
    nodes = [
        make.make_node("Conv", ["x", "conv.weight", "conv.bias"], ["a"]),
        make.make_node("Reshape", ["a", "shape"], ["b"]),
        make.make_node("Gemm", ["b", "fc.weight", "fc.bias"], ["c"], transB=1),
        make.make_node("Gemm", ["c", "head.weight", "head.bias"], ["y"], transB=1),
    ]
    tensors = [onnx.numpy_helper.from_array(v, n) for n, v in state_of(net).items()]
    tensors.append(onnx.numpy_helper.from_array(np.array([-1, 64]), "shape"))
    x = make.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [2, 8, 4, 4])
    y = make.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [2, 24])
    graph = make.make_graph(nodes, "net", [x], [y], tensors)
    onnx.save_model(make.make_model(graph), path)


FORMATS: Mapping[str, Callable[[Path, Net], None]] = {
    "net.pth": as_torch,
    "net.pth.tar": as_legacy,
    "net.pt2": as_export,
    "net.npz": as_npz,
    "net.gguf": as_gguf,
    "net.h5": as_hdf5,
    "net.onnx": as_onnx,
}


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_weights_give_the_same_numbers_in_any_format(name, net, tmp_path):
    plain, other = tmp_path / "net.safetensors", tmp_path / name
    as_safetensors(plain, net)
    FORMATS[name](other, net)
    found = {key: value for key, value in digests(source_file(other)).items() if key != "shape"}
    assert found == digests(source_file(plain))
    options: Any = {"mp_fit": True, "randomize": True, "intervals": True, "bootstrap": 20}
    ours, theirs = (auditor.analyze(path, **options) for path in (plain, other))
    assert [layer.name for layer in theirs.layers] == ["conv.weight", "fc.weight", "head.weight"]
    assert repr([layer.measured for layer in theirs.layers]) == repr(
        [layer.measured for layer in ours.layers]
    )


REFUSED = {
    "stories260K.bin": "unknown format",
    "DNN_S.pb": "TensorFlow",
    "DS_CNN_S.pb": "TensorFlow",
}


@pytest.mark.wide
@pytest.mark.data
def test_every_published_original_is_read_or_refused_with_the_right_reason(data):
    paths = sorted((data / "weights").glob("*/original/*"))
    assert len(paths) == 12
    for path in paths:
        analysis = auditor.analyze(path)
        reasons = [failure.reason for failure in analysis.reading.failures]
        if path.name in REFUSED:
            (reason,) = reasons
            assert REFUSED[path.name] in reason
            assert not analysis.layers
        else:
            assert not reasons, path.name
            assert analysis.complete, path.name
            assert analysis.layers, path.name
