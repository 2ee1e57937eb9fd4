"""Zip archives that lie, and tensors that lie about where they are."""

import struct
import zipfile
from io import BytesIO

import pytest
import torch

from tests.weights.archives import bent, directory, export, rezipped, unzipped, weight
from tests.weights.reading import arrays, in_memory, look, saved, the_failure

PICKLE = "data.pkl"


def members() -> dict[str, bytes]:
    return unzipped(saved({"w": torch.arange(6.0).reshape(2, 3)}))


def reason(data: bytes, name: str = "model.pt") -> str:
    return the_failure(in_memory(name, data)).reason


def test_the_archives_of_these_tests_are_good_until_they_are_bent():
    assert list(arrays(in_memory("model.pt", rezipped(members())))) == ["w"]


def test_compressed_members_are_refused():
    assert "compressed" in reason(rezipped(members(), method=zipfile.ZIP_DEFLATED))


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_a_member_that_is_there_twice_is_refused():
    stream = BytesIO(rezipped(members()))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr(f"archive/{PICKLE}", b"N.")
    assert "twice" in reason(stream.getvalue())


def test_a_second_root_folder_is_refused():
    stream = BytesIO(rezipped(members()))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("other/thing", b"")
    assert "more than one root" in reason(stream.getvalue())


def test_a_missing_storage_is_named():
    without = {name: data for name, data in members().items() if name != "data/0"}
    assert "no member 'data/0'" in reason(rezipped(without))


def test_a_storage_shorter_than_its_tensor_is_refused():
    short = {**members(), "data/0": bytes(23)}
    assert "tensor 'w' reaches to byte 24 of a storage of 23" in reason(rezipped(short))


def test_numbers_of_the_other_byte_order_are_refused():
    assert "little-endian" in reason(rezipped({**members(), "byteorder": b"big"}))


def test_an_archive_without_pickle_is_no_checkpoint():
    assert "no data.pkl" in reason(rezipped({"readme": b"hello"}))


BENT = {  # offset in the directory entry, new bytes, what is said about it
    "another place": (42, struct.pack("<I", 5), "is not where its directory says"),
    "a place outside": (42, struct.pack("<I", 2**31), "lie outside the file"),
    "a larger size": (20, struct.pack("<II", 5000, 5000), "overlaps what follows"),
    "sizes that differ": (20, struct.pack("<II", 1, 2), "is not where its directory says"),
    "encrypted": (8, struct.pack("<H", 1), "compressed or encrypted"),
    "another name": (46 + len("archive/"), b"DATA", "no data.pkl"),
    "no signature": (0, b"XXXX", "cut off or damaged"),
    "another method": (10, struct.pack("<H", 99), "compressed or encrypted"),
}


@pytest.mark.parametrize("field", BENT)
def test_a_directory_that_lies_is_refused(field):
    offset, value, message = BENT[field]
    assert message in reason(bent(rezipped(members()), offset, value))


def test_a_member_with_another_name_than_its_directory_says_is_refused():
    data = rezipped(members())
    renamed = data.replace(b"archive/data.pkl", b"archive/DATA.pkl", 1)  # the local header
    assert "has another name" in reason(renamed)


def test_a_directory_too_long_to_be_a_models_is_refused():
    data = rezipped({f"{i}": b"" for i in range(10)})
    padded = data[: directory(data)] + bytes(17 << 20) + data[directory(data) :]
    changed = bytearray(padded)
    changed[-10:-6] = struct.pack("<I", (17 << 20) + len(data) - directory(data) - 22)
    assert "is too long" in reason(bytes(changed))


# --- torch.export ------------------------------------------------------------------------------


def test_a_plain_export_is_read_strides_and_offset_included():
    strided = weight(strides=[{"as_int": 1}, {"as_int": 2}], storage_offset={"as_int": 1})
    values = struct.pack("<7f", *range(7))
    found = arrays(in_memory("model.pt2", export({"w": strided}, weight_0=values)))
    assert found["w"].tolist() == [[1, 3, 5], [2, 4, 6]]


def test_an_export_is_recognised_under_any_name():
    data = export({"w": weight()}, weight_0=bytes(24))
    assert list(arrays(in_memory("model.bin", data))) == ["w"]


LIES = {
    "record missing": ({"w": weight("weight_9")}, "no member 'data/weights/weight_9'"),
    "record outside": ({"w": weight("../../etc/passwd")}, "no member"),
    "too short": ({"w": weight(sizes=(3, 3))}, "reaches to byte 36 of a storage of 24"),
    "negative": ({"w": weight(sizes=(-2, 3))}, "no whole number"),
    "stride too many": ({"w": weight(sizes=(6,))}, "1 sizes and 2 strides"),
    "offset no number": ({"w": weight(storage_offset={"as_int": "1"})}, "no whole number"),
    "no path": ({"w": {"path_name": 3}}, "no path_name"),
    "no table": (b"[]", "no table `config`"),
    "no JSON": (b"{", "not valid JSON"),
    "a name twice": (b'{"config": {"w": 1, "w": 2}}', "'w' is there twice"),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_export_that_lies_is_refused(lie):
    config, message = LIES[lie]
    assert message in reason(export(config, weight_0=bytes(24)), "model.pt2")


SKIPPED = {
    "pickled": ({**weight(), "use_pickle": True}, "stored as a pickle"),
    "symbolic": (
        weight(sizes=(), sizes_=1) | {"tensor_meta": {"sizes": [{"as_expr": {}}]}},
        "size",
    ),
    "sparse": (weight(layout=1), "sparse"),
    "unknown type": (weight(dtype=77), "no reader for element type scalar type 77"),
}


@pytest.mark.parametrize("kind", SKIPPED)
def test_weights_without_plain_values_are_skipped_with_a_reason(kind):
    entry, message = SKIPPED[kind]
    file = in_memory("model.pt2", export({"q": entry, "w": weight()}, weight_0=bytes(24)))
    inventory = look(file)
    assert [tensor.name for tensor in inventory.tensors] == ["w"]
    (skip,) = inventory.skipped
    assert (skip.name, skip.read) == ("q", False)
    assert message in skip.reason


def test_an_archive_of_another_kind_of_export_says_what_to_do():
    assert "torch.export.save" in reason(rezipped({"archive_format": b"pt2"}), "model.pt2")


def test_a_tensor_that_repeats_its_values_without_end_is_skipped():
    huge = weight(sizes=(2**20, 2**20), strides=[{"as_int": 0}, {"as_int": 0}])
    inventory = look(in_memory("model.pt2", export({"w": huge}, weight_0=bytes(4))))
    assert inventory.tensors == ()
    assert "repeats its values" in inventory.skipped[0].reason
