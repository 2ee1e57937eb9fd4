"""All files of a version together: what is checked, what is preferred, what is missing."""

import json
from dataclasses import replace
from typing import BinaryIO

import pytest
import safetensors.torch as st
import torch

from auditor.errors import SourceError, UsageError, WeightsError
from auditor.records import Role, SourceFile
from auditor.weights import opened
from tests.weights.reading import arrays, hexdigest, in_memory, look, saved, source_file

W = {"fc.weight": torch.ones(2, 3), "fc.bias": torch.zeros(2)}
PLAIN = st.save(W)


def index(places: object) -> SourceFile:
    text = places if isinstance(places, bytes) else json.dumps({"weight_map": places}).encode()
    return in_memory("model.safetensors.index.json", text)


def test_no_weight_file_is_an_error_that_says_what_was_found():
    files = [in_memory("config.json", b"{}"), in_memory("optimizer.pt", b"x")]
    with pytest.raises(UsageError) as caught, opened(files, "models:/digits/3"):
        pass
    assert str(caught.value) == (
        "no weight file in models:/digits/3: found config.json, optimizer.pt; expected "
        "*.safetensors, *.pt2, *.pt, *.pth, *.bin, *.ckpt, *.gguf, *.onnx, *.keras, *.h5, *.npz, "
        "*.npy, *.tflite"
    )


def test_an_empty_place_is_an_error():
    with pytest.raises(UsageError, match="found nothing"), opened([], "nowhere"):
        pass


def test_files_are_digested_and_counted(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(PLAIN)
    reading = look(source_file(path, sha=hexdigest(path).upper())).reading
    (record,) = reading.files
    assert (record.name, record.size, record.verified) == ("model.safetensors", len(PLAIN), True)
    assert record.sha256 == hexdigest(path)
    assert reading.bytes_read == len(PLAIN)


def test_a_file_with_another_digest_than_stated_is_not_used(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(PLAIN)
    with pytest.raises(SourceError, match="its source states 0000"):
        look(source_file(path, sha="0" * 64))


def test_a_file_of_another_size_than_stated_is_not_used():
    file = in_memory("model.safetensors", PLAIN)
    longer = SourceFile(file.name, file.role, file.size + 1, file.open)
    with pytest.raises(SourceError, match=f"has {len(PLAIN)} bytes, its source states"):
        look(longer)


def test_a_file_that_cannot_be_opened_is_the_sources_fault():
    def gone() -> BinaryIO:
        raise FileNotFoundError("vanished")

    file = SourceFile("model.bin", Role.WEIGHTS, 8, gone)
    with pytest.raises(SourceError, match=r"failed while reading 'model\.bin': vanished"):
        look(file)


def test_a_file_that_shrinks_while_it_is_read_is_an_error(tmp_path):
    path = tmp_path / "model.safetensors"
    large = st.save({"w": torch.ones(1000, 1000)})
    path.write_bytes(large)
    with opened([source_file(path)], "a test") as inventory:
        path.write_bytes(large[:-8])
        with pytest.raises(WeightsError, match="was cut off"):
            [tensor.read() for tensor in inventory.tensors]


def test_a_broken_file_does_not_hide_the_others():
    broken = in_memory("b.safetensors", PLAIN[:-1])
    inventory = look(in_memory("a.safetensors", PLAIN), broken)
    assert len(inventory.tensors) == 2
    assert [failure.name for failure in inventory.reading.failures] == ["b.safetensors"]
    assert [record.name for record in inventory.reading.files] == ["a.safetensors", "b.safetensors"]


@pytest.mark.parametrize("data", [b"hello", b"\x00" * 64, bytes(range(256)), b"@\0\0\0" * 9])
def test_bytes_of_no_format_are_an_unknown_format(data):
    (failure,) = look(in_memory("model.bin", data)).reading.failures
    assert failure.reason.startswith("unknown format")
    assert not failure.dangerous


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors", "model.gguf"])
def test_a_pointer_is_told_from_the_file_it_points_to(name):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n"
    (failure,) = look(in_memory(name, pointer)).reading.failures
    assert "git lfs pull" in failure.reason


def test_safetensors_is_preferred_to_a_copy_beside_it():
    files = [in_memory("pytorch_model.bin", saved(W)), in_memory("model.safetensors", PLAIN)]
    inventory = look(*files)
    assert {(t.name, t.file) for t in inventory.tensors} == {
        ("fc.weight", "model.safetensors"),
        ("fc.bias", "model.safetensors"),
    }
    (skip,) = inventory.skipped
    assert (skip.name, skip.read) == ("pytorch_model.bin", True)
    assert "model.safetensors" in skip.reason
    assert len(inventory.reading.files) == 2
    assert inventory.reading.globals  # the copy's pickle was looked at all the same


def test_a_file_with_other_tensors_is_no_copy():
    other = in_memory("head.bin", saved({"head.weight": torch.ones(2, 2)}))
    names = [tensor.name for tensor in look(in_memory("model.safetensors", PLAIN), other).tensors]
    assert sorted(names) == ["fc.bias", "fc.weight", "head.weight"]


def test_files_that_use_one_name_are_told_apart():
    inventory = look(in_memory("b/m.safetensors", PLAIN), in_memory("a/m.safetensors", PLAIN))
    assert sorted(tensor.name for tensor in inventory.tensors) == [
        "b/m.safetensors:fc.bias",
        "b/m.safetensors:fc.weight",
        "fc.bias",
        "fc.weight",
    ]


def test_the_prefix_of_data_parallel_is_left_out_in_every_format():
    parallel = {f"module.{name}": value for name, value in W.items()}
    assert arrays(in_memory("m.safetensors", st.save(parallel))).keys() == W.keys()
    mixed = {**parallel, "head": torch.ones(1)}
    assert "module.fc.weight" in arrays(in_memory("m.safetensors", st.save(mixed)))


def shards() -> list[SourceFile]:
    return [
        in_memory("model-00001-of-00002.safetensors", st.save({"a": torch.ones(2)})),
        in_memory("model-00002-of-00002.safetensors", st.save({"b": torch.ones(2)})),
    ]


ONE, TWO = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


def test_shards_make_one_model_with_or_without_an_index():
    assert arrays(*shards()).keys() == {"a", "b"}
    whole = look(*shards(), index({"a": ONE, "b": TWO}))
    assert (len(whole.tensors), whole.reading.failures) == (2, ())


def test_a_shard_that_is_missing_is_a_failure_by_name():
    (failure,) = look(shards()[0]).reading.failures
    assert failure.name == TWO
    assert "is missing" in failure.reason


BAD = {
    "missing shard": ({"a": ONE, "b": TWO, "c": "other.safetensors"}, "'other.safetensors'"),
    "outside": ({"a": ONE, "b": "../../etc/passwd"}, "a file beside it or in a folder below"),
    "anywhere": ({"a": ONE, "b": "/etc/passwd"}, "a file beside it or in a folder below"),
    "foreign": ({"a": ONE, "b": "https://x.example/a.bin"}, "a file beside it or in a folder"),
    "unprintable": ({"a": ONE, "b": "a\x1b[2J\n.bin"}, r"'a\x1b[2J\n.bin'"),
    "wrong shard": ({"a": TWO, "b": TWO}, "the first 'a'"),
    "missing tensor": ({"a": ONE, "b": TWO, "c": TWO}, "1 tensors, the first 'c'"),
    "no map": (b"{}", "no weight_map"),
    "no text": ({"a": 3}, "no weight_map"),
    "no JSON": (b"{", "not valid JSON"),
}


@pytest.mark.parametrize("bad", BAD)
def test_an_index_that_disagrees_with_the_files_is_a_failure(bad):
    places, message = BAD[bad]
    inventory = look(*shards(), index(places))
    (failure,) = inventory.reading.failures
    assert failure.name == "model.safetensors.index.json"
    assert message in failure.reason
    assert len(inventory.tensors) == 2  # what is there is read all the same


def test_a_hostile_index_does_not_flood_the_report():
    places = {f"t{i}": f"shard{i}" for i in range(5000)}
    assert len(look(*shards(), index(places)).reading.failures) <= 20


def test_an_index_of_data_parallel_names_agrees_with_its_shards():
    file = in_memory("model.safetensors", st.save({"module.a": torch.ones(2)}))
    reading = look(file, index({"module.a": "model.safetensors"})).reading
    assert reading.failures == ()


def test_names_from_a_file_are_taken_as_they_are():
    names = ["<script>", "a b", "{0}", "ä" * 3000, "../../x", "\u202egnp"]
    file = in_memory("m.safetensors", st.save({name: torch.ones(1) for name in names}))
    assert {tensor.name for tensor in look(file).tensors} == set(names)


def test_of_a_file_read_in_parts_only_the_values_count_as_read():
    whole, parts = in_memory("a.safetensors", PLAIN), in_memory("b.safetensors", PLAIN)
    files = [whole, replace(parts, ranges=parts.open)]
    with opened(files, "a test", ranged=True) as inventory:
        reading = inventory.reading
    assert [record.verified for record in reading.files] == [True, False]
    assert reading.bytes_read == len(PLAIN) + 4 * (2 * 3 + 2)
