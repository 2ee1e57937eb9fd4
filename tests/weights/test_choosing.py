"""Which files of a repository are fetched: told by their names, as real repositories have them."""

from dataclasses import replace
from functools import partial
from hashlib import sha256
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from auditor.records import Role, SourceFile
from auditor.weights import opened, role_of, wanted
from auditor.weights.choosing import stated_digest
from tests.weights.reading import steady


def listed(*names: str) -> list[SourceFile]:
    """Files of which nothing but the name and a size that grows with it is known."""

    def untouched() -> BytesIO:
        raise AssertionError("opened a file to choose it")

    return [SourceFile(name, role_of(name), len(name), untouched) for name in names]


def used(*names: str) -> set[str]:
    return {file.name for file in wanted(listed(*names)).used}


SHARDS = [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]
PICKLES = [f"pytorch_model-0000{i}-of-00003.bin" for i in (1, 2, 3)]

REPOSITORIES: dict[str, tuple[list[str], list[str]]] = {  # name -> (used, left out)
    "both formats": (["model.safetensors"], ["pytorch_model.bin"]),
    "both in shards": (SHARDS, PICKLES),
    "one in shards": (["model.safetensors"], PICKLES),
    "frameworks": (
        ["model.safetensors", "adapter_model.safetensors"],
        ["tf_model.h5", "flax_model.msgpack", "rust_model.ot", "model.onnx", "adapter_model.bin"],
    ),
    "folders": (
        ["pytorch_model.bin"],
        [
            "onnx/model.onnx",
            "onnx/model_quantized.onnx",
            "openvino/openvino_model.bin",
            "coreml/fill-mask/model.mlpackage/Data/weights/weight.bin",
        ],
    ),
    "variants": (
        [
            "unet/diffusion_pytorch_model.safetensors",
            "vae/diffusion_pytorch_model.fp16.safetensors",
        ],
        [
            "unet/diffusion_pytorch_model.fp16.safetensors",
            "unet/diffusion_pytorch_model.non_ema.safetensors",
            "unet/diffusion_pytorch_model.bin",
            "unet/diffusion_pytorch_model.fp16.bin",
            "unet/diffusion_flax_model.msgpack",
            "unet/model.onnx",
            "unet/openvino_model.bin",
        ],
    ),
    "variants in shards": (
        [
            "diffusion_pytorch_model-00001-of-00002.safetensors",
            "diffusion_pytorch_model-00002-of-00002.safetensors",
        ],
        [
            "diffusion_pytorch_model.fp16-00001-of-00002.safetensors",
            "diffusion_pytorch_model.fp16-00002-of-00002.safetensors",
            "diffusion_pytorch_model-00001-of-00001.bf16.safetensors",
        ],
    ),
    "the fuller variant": (["model.bf16.safetensors"], ["model.fp16.safetensors"]),
    "full precision in a pickle": (["pytorch_model.bin"], ["model.fp16.safetensors"]),
    "onnx alone": (["onnx/model.onnx"], ["onnx/model_fp16.onnx", "onnx/model_int8.onnx"]),
    "gguf": (
        ["tiny-BF16.gguf", "mmproj-F16.gguf", "other.Q4_K_M.gguf"],
        [
            "tiny-F16.gguf",
            "tiny-Q8_0.gguf",
            "tiny-UD-Q4_K_XL.gguf",
            "tiny-IQ2_XXS.gguf",
            "other.Q4_0.gguf",
            "tiny.TQ1_0.gguf",
        ],
    ),
    "gguf in folders": (
        [f"Q8_0/big-Q8_0-0000{i}-of-00002.gguf" for i in (1, 2)],
        ["Q4_K_M/big-Q4_K_M.gguf", "big-Q2_K.gguf"],
    ),
    "components": (
        [
            "text_encoder/model.safetensors",
            "text_encoder_2/model.safetensors",
            "transformer/diffusion_pytorch_model.safetensors",
            "2_Dense/model.safetensors",
        ],
        [],
    ),
    "checkpoints": (
        ["best.pt", "last.pt", "epoch=1.ckpt", "epoch=2.ckpt", "net.h5", "net.onnx", "a.npz"],
        [],
    ),
    "one network, two tools": (["net.h5", "net.pt"], []),
    "data of a graph": (["model.onnx", "model.bin"], []),
    "the authors' own": (
        [*SHARDS, "consolidated.safetensors", "original/consolidated.00.pth"],
        [],  # told by what is inside
    ),
}


@pytest.mark.parametrize("repository", REPOSITORIES)
def test_each_model_is_taken_once(repository):
    kept, left_out = REPOSITORIES[repository]
    choice = wanted(listed(*left_out, "config.json", "README.md", *kept))
    assert {file.name for file in choice.used} == set(kept)
    assert {left.file.name for left in choice.left_out} == set(left_out)
    assert all(any(name in left.reason for name in kept) for left in choice.left_out)
    assert all(left.skip.read and not left.skip.is_matrix for left in choice.left_out)


@pytest.mark.parametrize(
    "names",
    [
        (SHARDS[0], *PICKLES),
        (SHARDS[0], "pytorch_model.bin"),
        (SHARDS[0], "model.fp16.safetensors"),
        (PICKLES[0], "tf_model.h5"),
    ],
)
def test_nothing_is_left_out_for_what_is_not_whole(names):
    assert used(*names) == set(names)


def test_of_a_copy_only_what_may_run_code_is_looked_at():
    choice = wanted(listed("model.safetensors", "pytorch_model.bin", "tf_model.h5"))
    assert {left.file.name: left.may_run for left in choice.left_out} == {
        "pytorch_model.bin": True,
        "tf_model.h5": False,
    }


NAMES = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["", "onnx/", "a/", "Q4_K_M/", "original/"]),
    st.sampled_from(["model", "pytorch_model", "tf_model", "x-Q4_0", "x-F16", "..", "\u202e"]),
    st.sampled_from(["", "-00001-of-00002", "-00002-of-00002", "-00000-of-00000"]),
    st.sampled_from(["", ".fp16", "_int8", ".ema"]),
    st.sampled_from([".safetensors", ".bin", ".h5", ".gguf", ".onnx", ".pth.tar", ".json"]),
)


@steady
@given(st.lists(NAMES, unique=True, max_size=12))
def test_something_is_used_and_stands_for_all_that_is_not(names):
    files = listed(*names)
    choice = wanted(files)
    halves = [*choice.used, *(left.file for left in choice.left_out)]
    weights = [file for file in files if file.role == "weights"]
    assert sorted(file.name for file in halves) == sorted(file.name for file in weights)
    kept = {file.name for file in choice.used}
    assert all(any(name in left.reason for name in kept) for left in choice.left_out)


def stating(**digests: str | None) -> list[SourceFile]:
    """Weight files whose source states these digests."""
    (plain,) = listed("model.safetensors")
    return [replace(plain, name=f"{name}.safetensors", sha256=sha) for name, sha in digests.items()]


def test_the_digest_of_stated_files_is_that_of_reading_them():
    raw = {"a.safetensors": save({"a": np.ones(2)}), "b.safetensors": save({"b": np.ones(3)})}
    read = [
        SourceFile(name, Role.WEIGHTS, len(data), partial(BytesIO, data))
        for name, data in raw.items()
    ]
    stated = [replace(file, sha256=sha256(raw[file.name]).hexdigest()) for file in read]
    with opened(read, "here") as inventory:
        assert stated_digest(stated) == inventory.reading.digest != ""


def test_weights_of_which_one_is_unknown_are_unknown():
    assert stated_digest(stating(a="1" * 64, b=None)) == ""
    assert stated_digest([]) == ""


@given(st.text(max_size=20), st.text(max_size=20))
@steady
def test_other_names_are_other_weights_whatever_is_in_them(one, other):
    pair = [
        stated_digest([replace(file, name=f"{name}.safetensors") for file in stating(a="1" * 64)])
        for name in (one, other)
    ]
    assert (pair[0] == pair[1]) == (one == other)
