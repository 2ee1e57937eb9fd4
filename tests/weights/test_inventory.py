"""One model in several files: what is counted once, and how the parts of a pipeline are named."""

import os
from dataclasses import replace
from typing import BinaryIO

import numpy as np
import pytest
import safetensors.numpy as st
import torch
from numpy.typing import NDArray

from auditor.records import Role, SourceFile
from auditor.weights import opened
from auditor.weights.inventory import Inventory
from tests.weights.reading import in_memory, look, saved
from tests.weights.test_hostile_pickles import Bomb

Array = NDArray[np.float32]
Arrays = dict[str, Array]


@pytest.fixture
def llama(rng) -> Arrays:
    """Two blocks as transformers names them."""

    def matrix(*shape: int) -> Array:
        return np.asarray(rng.normal(size=shape), np.float32)

    state = {"model.embed_tokens.weight": matrix(50, 16), "lm_head.weight": matrix(50, 16)}
    for i in range(2):
        block = f"model.layers.{i}."
        state |= {
            **{f"{block}self_attn.{p}_proj.weight": matrix(16, 16) for p in "qkvo"},
            f"{block}input_layernorm.weight": matrix(16),
        }
    return state


def as_published(state: Arrays) -> Arrays:
    """The same as its authors name it: rows of queries and keys in another order."""
    names = {
        "model.embed_tokens.weight": "tok_embeddings.weight",
        "lm_head.weight": "output.weight",
    }
    found = {}
    for name, value in state.items():
        own = names.get(name, name.removeprefix("model.").replace("self_attn", "attention"))
        turned = "q_proj" in name or "k_proj" in name
        found[own.replace("_proj", "").replace("input_layernorm", "attention_norm")] = (
            np.ascontiguousarray(value[::-1]) if turned else value
        )
    return found


def halves(state: Arrays) -> tuple[SourceFile, SourceFile]:
    names = sorted(state)
    parts = (names[: len(names) // 2], names[len(names) // 2 :])
    one, two = (
        in_memory(f"model-0000{i + 1}-of-00002.safetensors", st.save({n: state[n] for n in part}))
        for i, part in enumerate(parts)
    )
    return one, two


def skips(inventory: Inventory) -> dict[str, str]:
    return {skip.name: skip.reason for skip in inventory.skipped}


# --- the same model under other names -----------------------------------------------------


@pytest.mark.parametrize(
    "name", ["consolidated.safetensors", "original/consolidated.00.pth", "consolidated.00.pth"]
)
def test_the_authors_own_files_are_not_counted_again(llama, name):
    own = as_published(llama)
    data = st.save(own) if name.endswith("safetensors") else _pickled(own)
    inventory = look(*halves(llama), in_memory(name, data))
    assert {tensor.name for tensor in inventory.tensors} == set(llama)
    assert skips(inventory) == {
        name: "the model of model-00001-of-00002.safetensors again, under other names"
    }


def _pickled(state: Arrays) -> bytes:
    return saved({name: torch.from_numpy(value) for name, value in state.items()})


def test_files_of_several_processes_are_one_model(llama):
    """Each has its columns or rows of every matrix, and all of every vector."""
    own = as_published(llama)
    pieces = [
        {n: np.ascontiguousarray(np.split(v, 2)[i]) if v.ndim > 1 else v for n, v in own.items()}
        for i in range(2)
    ]
    files = [
        in_memory(f"original/consolidated.0{i}.pth", _pickled(p)) for i, p in enumerate(pieces)
    ]
    assert {tensor.name for tensor in look(*halves(llama), *files).tensors} == set(llama)


def test_a_tied_head_may_be_left_out_of_one(llama):
    own = as_published(llama)
    del llama["lm_head.weight"]
    inventory = look(*halves(llama), in_memory("original/consolidated.00.pth", _pickled(own)))
    assert {tensor.name for tensor in inventory.tensors} == set(llama)


def test_the_authors_own_files_alone_are_the_model(llama):
    own = as_published(llama)
    inventory = look(in_memory("original/consolidated.00.pth", _pickled(own)))
    assert {tensor.name for tensor in inventory.tensors} == set(own)


def test_a_larger_model_of_the_authors_is_not_dropped(llama):
    own = as_published(llama) | {"more.weight": np.ones((16, 16), np.float32)}
    inventory = look(*halves(llama), in_memory("consolidated.safetensors", st.save(own)))
    assert len(inventory.tensors) == len(llama) + len(own)


def test_other_names_for_the_same_values_are_a_copy(llama):
    own = st.save({f"net_{i}": value for i, value in enumerate(llama.values())})
    inventory = look(in_memory("a.safetensors", st.save(llama)), in_memory("b.safetensors", own))
    assert {tensor.name for tensor in inventory.tensors} == set(llama)
    assert list(skips(inventory)) == ["b.safetensors"]


def test_other_values_of_the_same_shapes_are_another_model(llama, rng):
    """Actor and critic, two towers, two epochs: no shape tells them from copies."""
    other = {
        f"net_{i}": rng.normal(size=v.shape).astype(np.float32)
        for i, v in enumerate(llama.values())
    }
    later = {name: value + 1 for name, value in llama.items()}
    tuned = {f"net_{i}": value for i, value in enumerate(llama.values())}
    tuned[f"net_{len(tuned) - 1}"] = 2 * tuned[f"net_{len(tuned) - 1}"]  # all but this one frozen
    for state in (other, later, tuned):
        files = (
            in_memory("a.safetensors", st.save(llama)),
            in_memory("b.safetensors", st.save(state)),
        )
        assert len(look(*files).tensors) == 2 * len(llama)


# --- left out by name ---------------------------------------------------------------------


def test_what_is_left_out_by_name_is_neither_fetched_nor_missed(llama):
    def refused() -> BinaryIO:
        raise AssertionError("fetched a file that nobody needs")

    names = ("model.fp16.safetensors", "tf_model.h5", "onnx/model.onnx")
    left = [SourceFile(name, Role.WEIGHTS, 10**12, refused) for name in names]
    index = in_memory(
        "model.safetensors.index.fp16.json", b'{"weight_map": {"a": "model.fp16.safetensors"}}'
    )
    inventory = look(in_memory("model.safetensors", st.save(llama)), *left, index)
    assert inventory.reading.failures == ()
    assert set(skips(inventory)) == set(names)
    assert [file.name for file in inventory.reading.files] == ["model.safetensors"]


def test_code_in_a_copy_is_found_all_the_same(llama):
    state = {name: torch.from_numpy(value) for name, value in llama.items()}
    bad = saved({**state, "x": Bomb(os.system, "true")})
    files = in_memory("model.safetensors", st.save(llama)), in_memory("pytorch_model.bin", bad)
    reading = look(*files).reading
    assert any(named.dangerous for named in reading.globals)


def test_what_a_copy_alone_holds_is_part_of_the_model(llama):
    more = {**{n: torch.from_numpy(v) for n, v in llama.items()}, "head": torch.ones(3, 3)}
    inventory = look(
        in_memory("model.safetensors", st.save(llama)), in_memory("pytorch_model.bin", saved(more))
    )
    assert "head" in {tensor.name.rpartition(":")[2] for tensor in inventory.tensors}


def test_of_a_remote_copy_that_may_run_code_only_parts_are_fetched(llama):
    file = in_memory("pytorch_model.bin", _pickled(llama))

    def refused() -> BinaryIO:
        raise AssertionError("fetched whole")

    remote = replace(file, open=refused, ranges=file.open)
    with opened([in_memory("model.safetensors", st.save(llama)), remote], "a test") as inventory:
        assert set(skips(inventory)) == {"pytorch_model.bin"}


# --- components ---------------------------------------------------------------------------


def test_components_of_a_pipeline_are_told_by_their_folders(llama):
    files = [
        in_memory(f"{folder}/model.safetensors", st.save(llama))
        for folder in ("text_encoder", "text_encoder_2")
    ]
    inventory = look(*files, in_memory("model_index.json", b"{}"))
    assert {tensor.name for tensor in inventory.tensors} == {
        f"{folder}.{name}" for folder in ("text_encoder", "text_encoder_2") for name in llama
    }


def test_sentence_transformers_keep_the_names_of_their_first_module(llama):
    files = [
        in_memory("model.safetensors", st.save(llama)),
        in_memory(
            "2_Dense/model.safetensors", st.save({"linear.weight": np.ones((8, 16), np.float32)})
        ),
        in_memory("modules.json", b"[]"),
    ]
    names = {tensor.name for tensor in look(*files).tensors}
    assert names == {*llama, "2_Dense.linear.weight"}


@pytest.mark.parametrize("same", [True, False])
def test_a_single_file_of_a_pipeline_is_its_components_again(llama, rng, same):
    def value(of: Array) -> Array:
        return of if same else np.asarray(rng.normal(size=of.shape), np.float32)

    whole = {f"cond_stage_model.{name}": value(of) for name, of in llama.items()}
    files = [
        in_memory("text_encoder/model.safetensors", st.save(llama)),
        in_memory("v1-5-pruned.safetensors", st.save(whole)),
        in_memory("model_index.json", b"{}"),
    ]
    assert len(look(*files).tensors) == len(llama) * (1 if same else 2)
