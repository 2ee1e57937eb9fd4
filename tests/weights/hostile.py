"""Hostile files: a row for each, which anyone can add to.

A row says how the files of a version are made and what the sentence about them has to say.
`test_hostile_files` runs the command on every row, with little memory and little time.
"""

import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import safetensors.numpy as st
import torch
from onnx import TensorProto, helper

from tests.weights.archives import bent, directory, export, rezipped, unzipped, weight
from tests.weights.reading import saved
from tests.weights.test_archives import BENT
from tests.weights.test_hostile_pickles import BESIDE, ENDLESS, Bomb, zipped

TOUCH = "touch executed"  # what every bomb would do where the command runs
MATRIX = np.random.default_rng(1).normal(size=(20, 30)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Hostile:
    """One version that somebody made on purpose."""

    make: Callable[[Path], None]  # writes its files into a folder
    said: str  # what the reason says, among other things
    code: int = 3


def one(name: str, data: bytes, said: str, code: int = 3) -> Hostile:
    """A version of one file."""
    return Hostile(lambda folder: _write(folder, {name: data}), said, code)


def many(files: Mapping[str, bytes], said: str, code: int = 3) -> Hostile:
    """A version of some files."""
    return Hostile(lambda folder: _write(folder, files), said, code)


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


# --- pickles ----------------------------------------------------------------------------------


def bomb(protocol: int = 2) -> bytes:
    return pickle.dumps({"x": Bomb(os.system, TOUCH)}, protocol)


def armed(protocol: int, *, old: bool) -> bytes:
    """A good checkpoint with a bomb beside its weights."""
    value = {"fc.weight": torch.from_numpy(MATRIX), "x": Bomb(os.system, TOUCH)}
    return saved(value, pickle_protocol=protocol, _use_new_zipfile_serialization=not old)


def npy_of_objects() -> bytes:
    stream = BytesIO()
    np.save(stream, np.array([Bomb(os.system, TOUCH)], dtype=object), allow_pickle=True)
    return stream.getvalue()


def npz_of_objects() -> bytes:
    stream = BytesIO()
    np.savez(stream, allow_pickle=True, w=np.array([Bomb(os.system, TOUCH)], dtype=object))
    return stream.getvalue()


def _pickles() -> Iterator[tuple[str, Hostile]]:
    for protocol in range(6):
        yield f"pickle {protocol}", one("model.pkl", bomb(protocol), "pickle")
        yield f"zip {protocol}", one("model.pt", zipped(bomb(protocol)), "holds no tensor")
    for protocol in range(2, 6):
        yield f"armed zip {protocol}", one("model.pt", armed(protocol, old=False), "run code")
        yield (
            f"armed legacy {protocol}",
            one("model.pth.tar", armed(protocol, old=True), "run code"),
        )
    for place, (name, data) in BESIDE.items():
        yield f"beside: {place}", one(name, data, "")
    for trap, (data, said) in ENDLESS.items():
        yield trap, one("model.pt", zipped(data), said)
    yield "npy of objects", one("model.npy", npy_of_objects(), "object")
    yield "npz of objects", one("model.npz", npz_of_objects(), "object")
    yield "joblib", one("model.joblib", bomb(), "pickle")
    yield "a bomb as safetensors", one("model.safetensors", bomb(), "pickle")
    large = {
        "many dicts": b"\x80\x02" + b"}" * 1_490_000 + b".",
        "many texts": b"\x80\x04" + b"\x8c\x04aaaa\x94" * 740_000 + b".",
        "one wide text": b"\x80\x02X\x00\x00\xf0\x01" + "😀".encode() + b"a" * 0x1EFFFFC + b".",
        "one long text": b"S'" + b"a" * (31 << 20) + b"'\n.",
        "one long number": b"\x80\x02\x8b\x00\x00\xf0\x01" + b"\x7f" * 0x1F00000 + b".",
    }
    for kind, data in large.items():
        yield kind, one("model.pt", zipped(data), "holds no tensor")


# --- headers ----------------------------------------------------------------------------------


def safetensors(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(shape: Any = (20, 30), offsets: Any = (0, 2400), dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def sparse(name: str, start: bytes, size: int) -> Callable[[Path], None]:
    """A file with a beginning and nothing but a hole behind it."""

    def make(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / name).open("wb") as file:
            file.write(start)
            file.truncate(size)

    return make


def tiny(count: int) -> bytes:
    """A header of so many tensors of one value."""
    entries = (
        f'"t{i}.w":{{"dtype":"F32","shape":[1,1],"data_offsets":[{4 * i},{4 * i + 4}]}}'
        for i in range(count)
    )
    text = ("{" + ",".join(entries) + "}").encode()
    return struct.pack("<Q", len(text)) + text + bytes(4 * count)


def _headers() -> Iterator[tuple[str, Hostile]]:
    values = MATRIX.tobytes()
    lies: dict[str, tuple[object, str]] = {
        "outside": ({"w": entry(offsets=(2400, 4800))}, "no gap or overlap"),
        "far outside": ({"w": entry((2**20, 2**20), (0, 2**42))}, "describes"),
        "overlap": ({"a": entry(), "b": entry(offsets=(0, 2400))}, "no gap or overlap"),
        "negative": ({"w": entry((-20, 30))}, "whole number"),
        "negative offset": ({"w": entry(offsets=(-2400, 0))}, "whole number"),
        "wrong size": ({"w": entry(dtype="F64")}, "takes 4800 bytes"),
        "unknown type": ({"w": entry(dtype="F128")}, "unknown dtype"),
        "type no text": ({"w": entry(dtype=["F32"])}, "unknown dtype"),
        "overflow": ({"w": entry((2**62, 2**62, 4), (0, 2400))}, "takes"),
        "a number as float": ({"w": entry((20.0, 30))}, "whole number"),
        "true as a size": ({"w": entry((True, 600))}, "whole number"),
        "twice": (b'{"w":' + json.dumps(entry()).encode() + b',"w":{}}', "'w' is there twice"),
        "nested": (b"[" * 100_000 + b"]" * 100_000, "not valid JSON"),
        "a long number": (b'{"a":' + b"9" * 10_000 + b"}", "not valid JSON"),
        "no UTF-8": (b'{"\xff":1}', "not valid JSON"),
        "a list": (b"[1, 2]", "not a JSON object"),
        "65 sides": ({"w": entry([1] * 65, (0, 4))}, "whole number"),
    }
    for lie, (header, said) in lies.items():
        yield f"safetensors: {lie}", one("model.safetensors", safetensors(header, values), said)
    huge = struct.pack("<Q", 2**62)
    yield "safetensors: 2^62 bytes of header", one("m.safetensors", huge + b"{}", "header of")
    claim = struct.pack("<Q", 100_000_000) + b'{"'
    yield (
        "safetensors: 100 MB of header",
        Hostile(sparse("m.safetensors", claim, 100_000_100), "header of"),
    )
    spaces = struct.pack("<Q", 99_999_999) + b"{" + b" " * 99_999_997 + b"}"
    yield "safetensors: 100 MB of spaces", one("m.safetensors", spaces, "header of")
    yield (
        "safetensors: a billion tensors",
        Hostile(
            sparse("m.safetensors", struct.pack("<Q", 10**9 * 60) + b'{"a":', 1 << 20), "header of"
        ),
    )
    yield "safetensors: half a million tensors", one("m.safetensors", tiny(500_000), "header")
    yield "safetensors: 200,000 tensors", one("m.safetensors", tiny(200_000), "values")
    dicts = "{" + ",".join(f'"{i:x}":{{}}' for i in range(490_000)) + "}"
    yield "safetensors: many objects", one("m.safetensors", safetensors(dicts.encode()), "dtype")
    text = ('{"😀' + "a" * 24_000_000 + '":1}').encode()
    yield "safetensors: one wide name", one("m.safetensors", safetensors(text), "dtype")
    larger = safetensors({"w": entry((2**20, 2**20), (0, 2**42))})
    yield "one tensor larger than memory", one("m.safetensors", larger, "describes")
    wide = weight(sizes=(2**20, 2**20), strides=[{"as_int": 0}, {"as_int": 0}])
    data = export({"w": wide}, weight_0=bytes(4))
    yield "one tensor that repeats itself", one("m.pt2", data, "repeats its values")


# --- archives ---------------------------------------------------------------------------------


def members() -> dict[str, bytes]:
    return unzipped(saved({"w": torch.from_numpy(MATRIX)}))


def renamed(*names: str) -> bytes:
    """A good archive, and members by these names as they are."""
    stream = BytesIO(rezipped(members()))
    with zipfile.ZipFile(stream, "a") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), b"slipped")
    return stream.getvalue()


def link() -> bytes:
    """An archive whose storage is a symbolic link to a file of the system."""
    stream = BytesIO(rezipped({k: v for k, v in members().items() if k != "data/0"}))
    with zipfile.ZipFile(stream, "a") as archive:
        info = zipfile.ZipInfo("archive/data/0")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, b"/etc/passwd")
    return stream.getvalue()


def deflated(size: int) -> dict[str, bytes]:
    return {**members(), "data.pkl": bytes(size)}


def squeezed_alone(name: str) -> bytes:
    """600 MB of zeros in 600 kB, beside what Keras puts there."""
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", "{}")
        archive.writestr(name, bytes(600 << 20))
    return stream.getvalue()


def _archives() -> Iterator[tuple[str, Hostile]]:
    plain = rezipped(members())
    for field, (offset, value, said) in BENT.items():
        yield f"zip: {field}", one("model.pt", bent(plain, offset, value), said)
    squeezed = rezipped(deflated(200 << 20), method=zipfile.ZIP_DEFLATED)
    yield "zip bomb", one("model.pt", squeezed, "compressed")
    yield "npz bomb", one("model.npz", squeezed_alone("arr_0.npy"), "")
    yield "keras bomb", one("model.keras", squeezed_alone("model.weights.h5"), "")
    for name in ("archive/../../slipped", "../slipped", "/slipped", "archive\\..\\slipped"):
        yield f"zip slip: {name}", one("model.pt", renamed(name), "leads out of its folder")
    yield "a link as storage", one("model.pt", link(), "leads out of its folder")
    end = directory(plain)
    for size in (5, 2**31, 2**32 - 1):
        lying = bytearray(plain)
        lying[-10:-6] = struct.pack("<I", size)
        yield f"zip: a directory of {size} bytes", one("model.pt", bytes(lying), "damaged")
    yield "zip: no directory", one("model.pt", plain[:end], "cut off or damaged")
    yield "zip: a directory that is data", one("model.pt", plain[:end] + plain[end:] * 2, "")


# --- several files ----------------------------------------------------------------------------


def index(**shards: str) -> bytes:
    return json.dumps({"metadata": {}, "weight_map": shards}).encode()


def _indices() -> Iterator[tuple[str, Hostile]]:
    shard = {"model-00001-of-00001.safetensors": st.save({"w": MATRIX})}
    for kind, name in {
        "missing": "model-00002-of-00002.safetensors",
        "above": "../../../../etc/passwd",
        "absolute": "/etc/passwd",
        "a device": "/dev/zero",
        "of control characters": "\x1b[31m\n\u202e",
    }.items():
        files = {**shard, "model.safetensors.index.json": index(w=name)}
        yield f"index: {kind}", many(files, "names the shard")
    elsewhere = {**shard, "model.safetensors.index.json": index(other=next(iter(shard)))}
    yield "index: a tensor that is not there", many(elsewhere, "expects in")
    nested = {**shard, "model.safetensors.index.json": b"[" * 10**6}
    yield "index: nested", many(nested, "not valid JSON")
    yield "99,999 shards", many({"m-00001-of-99999.safetensors": shard.popitem()[1]}, "is missing")


# --- formats that point elsewhere -------------------------------------------------------------


def hdf5(fill: Callable[[h5py.File], object]) -> bytes:
    stream = BytesIO()
    with h5py.File(stream, "w") as file:
        fill(file)
    return stream.getvalue()


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4, 4), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "w", (4, 4))
    file.create_virtual_dataset("w", layout)


def onnx_of(**external: str) -> bytes:
    """A graph whose one weight lies where `external` says."""
    value = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[20, 30])
    value.data_location = TensorProto.EXTERNAL
    for key, said in external.items():
        value.external_data.add(key=key, value=said)
    sides = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "net", sides[:1], sides[1:], [value])
    return bytes(helper.make_model(graph).SerializeToString())


def _elsewhere() -> Iterator[tuple[str, Hostile]]:
    places = {
        "an external link": lambda f: f.__setitem__("w", h5py.ExternalLink("/etc/passwd", "/w")),
        "an external file": lambda f: f.create_dataset(
            "w", (4, 4), "f4", external=[("/etc/passwd", 0, 64)]
        ),
        "a virtual dataset": virtual,
        "a link to nothing": lambda f: f.__setitem__("w", h5py.SoftLink("/nothing")),
        "a link in a circle": lambda f: f.__setitem__("w", h5py.SoftLink("/w")),
        "a claim of 4 EB": lambda f: f.create_dataset("w", (2**31, 2**31), "f4", chunks=(64, 64)),
    }
    for kind, fill in places.items():
        yield f"hdf5: {kind}", one("model.h5", hdf5(fill), "")
    for location in ("/etc/passwd", "../../../etc/passwd", "", "a/../../b", "\x1b[31m", "gone.bin"):
        data = onnx_of(location=location, offset="0", length="2400")
        yield f"onnx: values in {location!r}", one("model.onnx", data, "")
    for said in ({"offset": "-1"}, {"offset": "9" * 30}, {"length": "10"}, {"length": "x"}):
        files = {"model.onnx": onnx_of(location="w.bin", **said), "w.bin": bytes(2400)}
        yield f"onnx: {said}", many(files, "")


LARGE = {  # rows that take more than a second
    *("many dicts", "many texts", "one wide text", "one long text", "one long number"),
    *("billion laughs", "many instructions", "deep lists", "99,999 shards", "keras bomb"),
    *("zip bomb", "npz bomb", "deep tuples as keys"),
    *(f"safetensors: {kind}" for kind in ("half a million tensors", "200,000 tensors")),
    *(f"safetensors: {kind}" for kind in ("many objects", "one wide name")),
    *(f"safetensors: 100 MB of {kind}" for kind in ("header", "spaces")),
}
ROWS: dict[str, Hostile] = dict(
    [*_pickles(), *_headers(), *_archives(), *_indices(), *_elsewhere()]
)
