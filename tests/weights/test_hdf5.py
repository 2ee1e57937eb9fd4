"""h5py writes, our reader reads; and HDF5 files that point outside, grow, or lie."""

import json
import os
import stat
import zlib
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import ml_dtypes
import numpy as np
import pytest
from h5py import h5d, h5p, h5pl, h5s, h5t
from hypothesis import given, strategies

from auditor.errors import WeightsError
from auditor.weights.hdf5_filters import LZF, Filter, restored
from auditor.weights.hdf5_tree import DEEPEST, LONG, MOST_LINKS
from auditor.weights.hdf5_values import ROOM
from tests.weights.reading import (
    arrays,
    digests,
    in_memory,
    look,
    source_file,
    steady,
    the_failure,
)

Fill = Callable[[h5py.File], object]

DTYPES = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")
COMPRESSED: dict[str, dict[str, Any]] = {
    "none": {},
    "chunks": {"chunks": (7, 5)},
    "gzip": {"compression": "gzip"},
    "gzip shuffled": {"compression": "gzip", "shuffle": True, "chunks": (9, 30)},
    "gzip checked": {"compression": 9, "shuffle": True, "fletcher32": True},
    "lzf": {"compression": "lzf", "chunks": (33, 20)},
    "lzf shuffled": {"compression": "lzf", "shuffle": True, "fletcher32": True},
}


def written(fill: Fill, **options: Any) -> bytes:
    stream = BytesIO()
    with h5py.File(stream, "w", **options) as file:
        fill(file)
    return stream.getvalue()


def plain(**datasets: Any) -> bytes:
    return written(lambda file: [file.create_dataset(n, data=v) for n, v in datasets.items()])


def reason(data: bytes) -> str:
    return the_failure(in_memory("model.h5", data)).reason


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", ["<", ">"])
def test_what_h5py_writes_comes_back_with_the_same_values(dtype, order, rng):
    values = rng.integers(0, 2, (3, 5)).astype(np.dtype(dtype).newbyteorder(order))
    file = in_memory("m.h5", plain(a=values, scalar=values[0, 0], none=values[:0]))
    assert {(t.name, t.dtype, t.shape) for t in look(file).tensors} == {
        ("a", dtype, (3, 5)),
        ("scalar", dtype, ()),
        ("none", dtype, (0, 5)),
    }
    np.testing.assert_array_equal(arrays(file)["a"], values)
    same = in_memory("m.h5", plain(a=values.astype(dtype)))
    assert digests(file)["a"] == digests(same)["a"]


@pytest.mark.parametrize("how", COMPRESSED)
@pytest.mark.parametrize("kind", ["noise", "runs"])
def test_every_way_to_store_values_gives_the_same_values(how, kind, rng):
    noise = rng.standard_normal((67, 43)).astype("f4")
    values = noise if kind == "noise" else np.round(noise)
    file = in_memory(
        "m.h5", written(lambda f: f.create_dataset("w", data=values, **COMPRESSED[how]))
    )
    np.testing.assert_array_equal(arrays(file)["w"], values)
    assert digests(file) == digests(in_memory("m.h5", plain(w=values)))


@steady
@given(
    strategies.lists(strategies.integers(1, 12), min_size=1, max_size=3),
    strategies.data(),
    strategies.sampled_from(sorted(COMPRESSED)),
)
def test_any_shape_cut_into_any_chunks_is_put_together_again(shape, data, how):
    sides = tuple(data.draw(strategies.integers(1, side)) for side in shape)
    values = np.arange(np.prod(shape), dtype="f4").reshape(shape)
    options = {**COMPRESSED[how], "chunks": sides}
    content = written(lambda file: file.create_dataset("w", data=values, **options))
    np.testing.assert_array_equal(arrays(in_memory("m.h5", content))["w"], values)


def test_values_nobody_wrote_are_zeros_unless_the_file_says_otherwise():
    def fill(file):
        file.create_dataset("zeros", (3, 4), "f4")
        for name, value in {"part": None, "filled": 2.5}.items():
            part = file.create_dataset(name, (6, 4), "f4", fillvalue=value, chunks=(2, 4))
            part[2:4] = 1.0
        file.create_dataset("written", (3, 4), "f4", fillvalue=2.5)[:] = 1.0

    file = in_memory("m.h5", written(fill))
    found = arrays(file)
    np.testing.assert_array_equal(found["zeros"], np.zeros((3, 4)))
    np.testing.assert_array_equal(found["part"], np.repeat([0, 1, 0], 2)[:, None] * np.ones(4))
    np.testing.assert_array_equal(found["written"], np.ones((3, 4)))
    (skip,) = look(file).skipped
    assert (skip.name, skip.shape, skip.read) == ("filled", (6, 4), False)
    assert "nobody wrote" in skip.reason


def test_values_in_the_header_of_their_dataset_are_read():
    def fill(file):
        plan = h5p.create(h5p.DATASET_CREATE)
        plan.set_layout(h5d.COMPACT)
        space = h5s.create_simple((3,))
        dataset = h5d.create(file.id, b"w", h5t.IEEE_F32BE, space, plan)
        dataset.write(h5s.ALL, h5s.ALL, np.arange(3, dtype="f4"))

    assert arrays(in_memory("m.h5", written(fill)))["w"].tolist() == [0, 1, 2]


def test_bfloat16_as_keras_writes_it_is_read():
    def fill(file):
        values = np.array([1.0, -2.5]).astype(ml_dtypes.bfloat16)
        file.create_dataset("w", data=values).attrs["dtype"] = "bfloat16"

    file = in_memory("m.h5", written(fill))
    assert [(t.dtype, t.nbytes) for t in look(file).tensors] == [("bfloat16", 4)]
    assert arrays(file)["w"].tolist() == [1.0, -2.5]


def test_plain_files_keep_their_layout_and_are_named_by_their_groups(rng):
    values = rng.standard_normal((3, 4, 5, 6))
    found = arrays(
        in_memory("m.hdf5", written(lambda file: file.create_dataset("a/b.c/kernel", data=values)))
    )
    assert list(found) == ["a.b.c.kernel"]
    np.testing.assert_array_equal(found["a.b.c.kernel"], values)


def test_an_array_with_two_names_is_read_once():
    def fill(file):
        file["a/w"] = np.eye(3)
        file["b"] = file["a/w"]
        file["soft"] = h5py.SoftLink("/a/w")

    inventory = look(in_memory("m.h5", written(fill)))
    assert [t.name for t in inventory.tensors] == ["a.w"]
    assert [(skip.name, skip.reason) for skip in inventory.skipped] == [("b", "tied to a.w")]


@pytest.mark.parametrize("version", ["earliest", "latest"])
def test_groups_that_lead_into_themselves_are_visited_once(version):
    def fill(file):
        file["g/w"] = np.eye(2)
        file["g/again"], file["g/h/root"] = file["g"], file["/"]
        file["round"], file["lost"] = h5py.SoftLink("/round"), h5py.SoftLink("/nowhere")

    inventory = look(in_memory("m.h5", written(fill, libver=version)))
    assert [t.name for t in inventory.tensors] == ["g.w"]
    assert not inventory.reading.failures


OTHERS: dict[str, tuple[Any, str]] = {
    "texts": (["a", "b"], "texts"),
    "references": (np.array([None], h5py.ref_dtype), "references"),
    "lists": (
        np.array([np.zeros(2), np.ones(3)], h5py.vlen_dtype("f4")),
        "lists of varying length",
    ),
    "records": (np.zeros(2, [("a", "f4"), ("b", "i4")]), "records"),
    "complex": (np.zeros(2, "c8"), "records"),
    "enumerated": (np.zeros(2, h5py.enum_dtype({"A": 0, "B": 1}, "i4")), "enumerated values"),
    "opaque": (np.zeros(2, "V2"), "opaque values"),
    "long double": (np.zeros(2, np.longdouble), "no reader for HDF5 numbers of 16 bytes"),
}


@pytest.mark.parametrize("what", OTHERS)
def test_what_is_no_plain_number_is_skipped_and_the_rest_is_read(what):
    values, message = OTHERS[what]
    inventory = look(in_memory("m.h5", plain(odd=values, w=np.eye(2))))
    assert [t.name for t in inventory.tensors] == ["w"]
    (skip,) = inventory.skipped
    assert (skip.name, skip.read, message in skip.reason) == ("odd", False, True)


@pytest.fixture
def canary(tmp_path):
    """A pipe beside the model: whoever reads it takes something out."""
    path = tmp_path / "canary"
    os.mkfifo(path)
    assert stat.S_ISFIFO(path.stat().st_mode)
    ends = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    os.write(ends, b"secret" * 100)
    yield path
    assert os.read(ends, 1000) == b"secret" * 100, "something read the file outside"
    os.close(ends)


def outside_link(file: h5py.File, canary: Path) -> None:
    file["deep/ext"] = h5py.ExternalLink(str(canary), "/w")


def outside_storage(file: h5py.File, canary: Path) -> None:
    file.create_dataset("deep/ext", (10, 15), "f4", external=[(str(canary), 0, 600)])


def outside_virtual(file: h5py.File, canary: Path) -> None:
    virtual = h5py.VirtualLayout((4,), "f4")
    virtual[:] = h5py.VirtualSource(str(canary), "w", (4,))
    file.create_virtual_dataset("deep/ext", virtual)


OUTSIDE = {
    "link": (outside_link, "'deep/ext' is a link to another file; nothing outside"),
    "storage": (outside_storage, "'deep/ext' has its values in another file; nothing outside"),
    "virtual": (outside_virtual, "'deep/ext' is a virtual dataset"),
}


@pytest.mark.parametrize("how", OUTSIDE)
@pytest.mark.parametrize("version", ["earliest", "latest"])
def test_a_file_that_points_outside_is_refused_and_nothing_outside_is_read(
    how, version, canary, tmp_path
):
    put, message = OUTSIDE[how]
    path = tmp_path / "model.h5"
    with h5py.File(path, "w", libver=version) as file:
        file["w"] = np.eye(2)
        put(file, canary)
    assert message in the_failure(source_file(path)).reason


def test_a_soft_link_through_a_link_to_another_file_is_not_followed(canary, tmp_path):
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file["a"] = h5py.SoftLink("/z/w")
        file["z"] = h5py.ExternalLink(str(canary), "/")
    assert "'z' is a link to another file" in the_failure(source_file(path)).reason


def test_a_name_that_is_a_path_is_refused():
    data = plain(abcdefg=np.eye(2)).replace(b"abcdefg\0", b"abc/efg\0")
    assert "'abc/efg' is a path and no name" in reason(data)


def test_two_things_of_one_name_are_refused():
    data = plain(abcdefg=np.eye(2), abcdefh=np.eye(3)).replace(b"abcdefh\0", b"abcdefg\0")
    assert "two things of one name" in reason(data)


def test_a_filter_that_is_code_from_elsewhere_is_refused_and_not_looked_for():
    def fill(file):
        plan = h5p.create(h5p.DATASET_CREATE)
        plan.set_chunk((2, 2))
        plan.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
        h5d.create(file.id, b"w", h5t.IEEE_F32LE, h5s.create_simple((2, 2)), plan)

    h5pl.append(b"/nowhere")
    assert "'w' needs the HDF5 filter 32015, which is code that is not" in reason(written(fill))
    assert h5pl.size() == 0


def test_a_shape_without_values_is_not_filled_in():
    def fill(file):
        file.create_dataset("lie", (10**6, 10**6), "f4")
        file.create_dataset("cut", (10**6, 10**6), "f4", chunks=(10, 10), fillvalue=1)
        file["w"] = np.eye(2)

    inventory = look(in_memory("m.h5", written(fill)))
    assert [t.name for t in inventory.tensors] == ["w"]
    assert {(s.name, s.shape, s.read) for s in inventory.skipped} == {
        ("lie", (10**6, 10**6), False),
        ("cut", (10**6, 10**6), False),
    }
    assert "repeats 0 bytes of its file until they are 4000000000000" in inventory.skipped[0].reason


def test_a_shape_longer_than_any_array_is_refused():
    data = written(lambda file: file.create_dataset("w", (2**40, 2**40), "f4", chunks=(1, 1)))
    assert "longer than any array can be" in reason(data)


def bomb(size: int) -> bytes:
    """A dataset of one deflated chunk that holds `size` zeros, and says it holds 16 bytes."""
    stream = BytesIO()
    with h5py.File(stream, "w") as file:
        dataset = file.create_dataset("w", (4,), "f4", chunks=(4,), compression="gzip")
        dataset.id.write_direct_chunk((0,), zlib.compress(bytes(size)))
    return stream.getvalue()


def test_a_chunk_that_inflates_to_more_than_it_has_is_refused():
    file = in_memory("m.h5", bomb(16))
    assert arrays(file)["w"].tolist() == [0, 0, 0, 0]
    with pytest.raises(WeightsError, match="inflates to more than the 20 bytes it has"):
        arrays(in_memory("m.h5", bomb(50 << 20)))


def test_a_chunk_larger_than_what_is_stored_of_it_is_no_array():
    def fill(file):
        side = ROOM // 4 + 1
        dataset = file.create_dataset(
            "w", (3,), "f4", maxshape=(None,), chunks=(side,), compression=1
        )
        dataset[:] = 1.0

    with pytest.raises(WeightsError, match="made to fill memory"):
        arrays(in_memory("m.h5", written(fill)))


def test_a_damaged_chunk_is_told_by_its_checksum(rng):
    values = rng.standard_normal((8, 8))
    data = written(lambda file: file.create_dataset("w", data=values, fletcher32=True))
    place = data.index(values[3].tobytes())
    assert "w" in arrays(in_memory("m.h5", data))
    damaged = data[:place] + b"\xff" + data[place + 1 :]
    with pytest.raises(WeightsError, match="not the checksum stored with it"):
        arrays(in_memory("m.h5", damaged))


@steady
@given(strategies.binary(max_size=200), strategies.integers(0, 300))
def test_lzf_never_gives_more_than_was_asked_for(data, size):
    with suppress(WeightsError):
        assert len(restored(data, [Filter(LZF, ())], 0, size)) == size


def with_text(length: int) -> bytes:
    def fill(file):
        file["w"] = np.eye(2)
        file.attrs["model_config"] = json.dumps({"x": "y" * length})

    return written(fill)


@pytest.mark.parametrize("length", [10, 5000])
def test_a_collection_of_texts_without_end_is_refused(length):
    data = with_text(length)
    start = data.index(b"GCOL")
    endless = data[: start + 16] + bytes(16) + data[start + 32 :]  # free, and of no size
    assert "a text of 0 bytes does not fit" in reason(endless)
    for size in (2**64 - 1, 2**64 - 32, 2**62, 2**16):
        around = data[: start + 24] + size.to_bytes(8, "little") + data[start + 32 :]
        assert f"a text of {size} bytes does not fit" in reason(around)


def test_a_collection_of_texts_that_states_any_size_is_refused():
    data = with_text(10)
    start = data.index(b"GCOL")
    huge = data[: start + 8] + (2**62).to_bytes(8, "little") + data[start + 16 :]
    assert "its texts take more than" in reason(huge)


def test_places_of_another_size_are_refused(tmp_path):
    plan = h5p.create(h5p.FILE_CREATE)
    plan.set_sizes(4, 4)
    h5py.h5f.create(bytes(tmp_path / "m.h5"), fcpl=plan).close()
    assert "are not numbers of 8 bytes" in the_failure(source_file(tmp_path / "m.h5")).reason


def test_groups_nested_deeper_than_any_model_are_refused():
    data = written(lambda file: file.create_group("/".join("g" * (DEEPEST + 2))))
    assert "deeper ones than any model" in reason(data)


def test_more_or_longer_names_than_any_model_has_are_refused():
    def fill(file):
        for number in range(MOST_LINKS * LONG // 60_000 + 1):
            file[f"{number:060000}"] = file["/"]

    assert "has more groups, longer names" in reason(written(fill, libver="latest"))


def test_names_of_any_length_and_alphabet_are_read():
    names = ["a" * 10_000, "<script>", "\u202egnp.exe", "line\nend", "\x1b[31m"]
    found = arrays(in_memory("m.h5", plain(**dict.fromkeys(names, np.eye(2)))))
    assert set(found) == set(names)


@pytest.mark.parametrize("version", ["earliest", "latest"])
def test_cut_off_anywhere_it_is_a_failure_or_a_tensor_that_cannot_be_read(version, rng):
    whole = written(
        lambda file: [
            file.create_dataset(f"g{i}/w", data=rng.standard_normal((20, 20)), compression=c)
            for i, c in enumerate([None, "gzip", "lzf"])
        ],
        libver=version,
    )
    for cut in range(1, len(whole), 97):
        assert reason(whole[:cut])


@steady
@given(strategies.data())
def test_a_changed_byte_is_refused_or_leaves_values_within_the_file(data):
    whole = bytearray(
        plain(a=np.arange(6.0))
        if data.draw(strategies.booleans())
        else written(
            lambda f: f.create_dataset("g/a", data=np.arange(6.0), compression="gzip"),
            libver="latest",
        )
    )
    whole[data.draw(strategies.integers(0, len(whole) - 1))] = data.draw(
        strategies.integers(0, 255)
    )
    inventory = look(in_memory("model.h5", bytes(whole)))
    assert inventory.reading.failures or sum(t.nbytes for t in inventory.tensors) <= ROOM
