"""Quantised weights of every kind: planted codes come back as the weights they stand for."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch

from auditor.api import Analysis
from auditor.architecture import understand
from auditor.given import inventory_of
from auditor.measuring import Bench, measure_version
from auditor.measuring.units import units_of
from auditor.memory import Passing
from auditor.records import Settings
from tests.measuring import packers
from tests.spectral import oracles

PLAIN = Settings(bootstrap=0, mp_fit=False, randomize=False)


def analysed(model: object) -> Analysis:
    """What is a layer and what is not, told in this process."""
    with inventory_of(model) as inventory:
        found = measure_version(inventory, None, Bench(Passing(), PLAIN, 2**32))
        return Analysis(found.layers, found.skipped, inventory.reading, PLAIN)


def values(model: object, name: str = "fc1.weight") -> NDArray[Any]:
    """What a weight is read as."""
    with inventory_of(model) as inventory:
        (unit,) = (u for u in units_of(inventory.tensors, understand(inventory)) if u.name == name)
        assert unit.weight is not None
        array = np.asarray(unit.weight.values().array)
    assert array.shape == unit.shape
    return array


def reasons(model: object) -> dict[str, str]:
    return {skip.name: skip.reason for skip in analysed(model).skipped}


def folder(path: Path, state: Mapping[str, Any], **config: object) -> Path:
    save_file(dict(state), path / "model.safetensors")
    if config:
        (path / "config.json").write_text(json.dumps({"quantization_config": config}))
    return path


# --- words of 32 bits ---------------------------------------------------------------------


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize(("form", "offset"), [("gptq", 1), ("gptq_v2", 0)])
def test_gptq(rng, tmp_path, bits, ordered, form, offset):
    state, meant = packers.gptq(rng, bits, offset=offset, ordered=ordered)
    stated = {"quant_method": "gptq", "bits": bits, "checkpoint_format": form}
    found = values(folder(tmp_path, state, **stated))
    np.testing.assert_allclose(found, meant, rtol=1e-6)


def test_gptq_is_one_layer_and_all_its_parts_are_told(rng, tmp_path):
    state, meant = packers.gptq(rng, 4)
    analysis = analysed(folder(tmp_path, state, quant_method="gptq", bits=4))
    (layer,) = analysis.layers
    assert (layer.name, layer.dtype, layer.kind, layer.shape) == (
        *("fc1.weight", "int4", "dense"),
        meant.shape,
    )
    assert layer.metrics["norm"] == pytest.approx(np.square(meant).sum(), rel=1e-6)
    assert {skip.name: skip.reason for skip in analysis.skipped} == {
        "fc1.qweight": "codes of fc1.weight",
        "fc1.qzeros": "zero point of fc1.weight",
        "fc1.scales": "scale of fc1.weight",
        "fc1.g_idx": "part of fc1.weight",
    }
    assert analysis.complete


def test_gptq_in_a_file_of_its_own_says_where_its_zero_points_are_told(rng, tmp_path):
    state, meant = packers.gptq(rng, 4)
    del state["fc1.g_idx"]  # as older tools leave it out where the groups follow one another
    beside = folder(tmp_path, state)
    assert "quantize_config.json beside it" in reasons(beside)["fc1.qweight"]
    (tmp_path / "quantize_config.json").write_text('{"bits": 4, "group_size": 32}')
    np.testing.assert_allclose(values(beside), meant, rtol=1e-6)


@pytest.mark.parametrize("offset", [0, 1])
def test_symmetric_gptq_tells_its_zero_points_itself(rng, offset):
    """All are 8, and stored as 7 by the first version of the format."""
    state, _ = packers.gptq(rng, 4, offset=offset)
    words = np.full(state["fc1.qzeros"].shape, int(8 * str(8 - offset), 16), np.uint32)
    state["fc1.qzeros"] = words.view(np.int32)
    code, scale = state["fc1.qweight"].view(np.uint32)[0, 0] & 15, state["fc1.scales"][0, 0]
    assert values(state)[0, 0] == pytest.approx((int(code) - 8) * float(scale), rel=1e-6)


def test_groups_that_are_not_there_are_told(rng, tmp_path):
    state, _ = packers.gptq(rng, 4)
    state["fc1.g_idx"][5] = 7
    analysis = analysed(folder(tmp_path, state, quant_method="gptq", bits=4))
    told = {skip.name: skip for skip in analysis.skipped}["fc1.qweight"]
    assert (told.reason, told.read) == (
        "unreadable: its inputs are in groups 0 to 7, but there are 3 of them",
        False,
    )
    assert not analysis.complete


def test_awq(rng, tmp_path):
    state, meant = packers.awq(rng)
    np.testing.assert_allclose(values(state), meant, rtol=1e-6)
    other = folder(tmp_path, state, quant_method="awq", bits=4, version="gemv")
    assert "its layout is 'gemv'" in reasons(other)["fc1.qweight"]


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("inputs", [96, 99])
def test_compressed_tensors(rng, bits, zeros, inputs):
    state, meant = packers.compressed(rng, bits, zeros=zeros, inputs=inputs)
    np.testing.assert_allclose(values(state), meant, rtol=1e-6)


def test_a_shape_that_does_not_fit_its_codes_is_told(rng):
    state, _ = packers.compressed(rng, 4, zeros=False)
    state["fc1.weight_shape"][1] = 10**9
    analysis = analysed(state)
    assert (analysis.layers, analysis.complete) == ((), False)
    assert "do not hold 1000000000 codes" in reasons(state)["fc1.weight_packed"]


# --- codes of a table ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["nf4", "fp4"])
@pytest.mark.parametrize("nested", [False, True])
def test_bitsandbytes_of_4_bits(rng, kind, nested):
    state, meant = packers.bitsandbytes(rng, nested=nested, kind=kind)
    np.testing.assert_allclose(values(state), meant, rtol=1e-5)
    (layer,) = analysed(state).layers
    assert (layer.name, layer.dtype, layer.shape) == ("fc1.weight", kind, (24, 40))
    assert analysed(state).complete


def test_bytes_that_lie_in_floats_are_the_same_bytes(rng):
    state, meant = packers.bitsandbytes(rng, nested=False)
    state["fc1.weight"] = state["fc1.weight"].reshape(-1).view(np.float32)[:, None]
    np.testing.assert_allclose(values(state), meant, rtol=1e-5)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (b"{", "is not valid JSON"),
        (b"[]", "no JSON object"),
        (b'{"blocksize": 64, "quant_type": "nf4"}', "has no shape"),
        (b'{"shape": [1000000, 1000000], "blocksize": 64}', "larger than any weight"),
        (b'{"shape": [24, 41], "blocksize": 64, "quant_type": "nf4"}', "do not hold 984 codes"),
        (b'{"shape": [24, 40], "blocksize": 32, "quant_type": "nf4"}', "one for every block"),
        (b'{"shape": [24, 40], "blocksize": 0, "quant_type": "nf4"}', "names no blocksize"),
        (b'{"shape": [24, 40], "blocksize": 64, "quant_type": "int4"}', "neither nf4 nor fp4"),
    ],
)
def test_a_state_that_does_not_fit_is_told(rng, changed, problem):
    state, _ = packers.bitsandbytes(rng, nested=False)
    state["fc1.weight.quant_state.bitsandbytes__nf4"] = np.frombuffer(changed, np.uint8)
    assert problem in reasons(state)["fc1.weight"]
    assert not analysed(state).complete


def test_mxfp4_as_gpt_oss_has_it(rng):
    """Against the block format of GGUF, whose library knows the same numbers."""
    codes = rng.integers(0, 16, (2, 24, 3, 32))
    scales = rng.integers(118, 126, (2, 24, 3)).astype(np.uint8)
    state = {
        "mlp.experts.down_proj_blocks": packers.low_first(codes),
        "mlp.experts.down_proj_scales": scales,
    }
    halves = (codes[..., :16] | codes[..., 16:] << 4).astype(np.uint8)  # the order of GGUF
    blocks = np.concatenate((scales[..., None], halves), axis=-1).reshape(-1, 17)
    meant = gguf.quants.dequantize(blocks, gguf.GGMLQuantizationType.MXFP4).reshape(2, 24, 96)
    found = values(state, "mlp.experts.down_proj")
    np.testing.assert_array_equal(found, meant)
    (layer,) = analysed(state).layers
    assert (layer.kind, layer.dtype, layer.measured.num_evals) == ("experts", "mxfp4", 48)


def test_mxfp4_of_compressed_tensors(rng):
    codes, scales = rng.integers(0, 16, (24, 96)), rng.integers(118, 126, (24, 3)).astype(np.uint8)
    state = {"fc1.weight_packed": packers.low_first(codes), "fc1.weight_scale": scales}
    meant = packers.microscaled(codes, 2.0 ** (scales.astype(float) - 127), 32)
    np.testing.assert_array_equal(values(state), meant)


@pytest.mark.parametrize("by", ["compressed-tensors", "ModelOpt"])
def test_nvfp4(rng, tmp_path, by):
    codes = rng.integers(0, 16, (24, 96))
    scales = torch.from_numpy(rng.uniform(0.5, 2.0, (24, 6))).to(torch.float8_e4m3fn)
    whole = np.float32(300.0)
    plain = scales.to(torch.float64).numpy()
    if by == "ModelOpt":
        names, meant = ("weight", "weight_scale_2"), packers.microscaled(codes, plain * whole, 16)
    else:
        names = ("weight_packed", "weight_global_scale")
        meant = packers.microscaled(codes, plain / whole, 16)
    state = {
        f"fc1.{names[0]}": torch.from_numpy(packers.low_first(codes)),
        "fc1.weight_scale": scales,
        f"fc1.{names[1]}": torch.tensor(whole),
        "fc1.input_scale": torch.tensor(1.0),
    }
    save_torch(state, tmp_path / "model.safetensors")
    np.testing.assert_allclose(values(tmp_path), meant, rtol=1e-6)
    assert analysed(tmp_path).complete


# --- a scale for rows, groups, tiles ------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "tile", "config"),
    [
        ((256, 384), (128, 128), {}),
        ((200, 300), (128, 128), {}),
        ((100, 90), (32, 64), {"weight_block_size": [32, 64]}),
    ],
)
def test_tiles_of_8_bit_floats(rng, tmp_path, shape, tile, config):
    weight = torch.from_numpy(rng.normal(size=shape)).to(torch.float8_e4m3fn)
    counts = [-(-side // of) for side, of in zip(shape, tile, strict=True)]
    scale = rng.uniform(0.01, 0.02, counts).astype(np.float32)
    state = {"fc1.weight": weight, "fc1.weight_scale_inv": torch.from_numpy(scale)}
    save_torch(state, tmp_path / "model.safetensors")
    stated = {"quantization_config": {"quant_method": "fp8", **config}}
    (tmp_path / "config.json").write_text(json.dumps(stated))
    plain = weight.to(torch.float64).numpy()
    meant = [
        [plain[r, c] * float(scale[r // tile[0], c // tile[1]]) for c in range(shape[1])]
        for r in range(shape[0])
    ]
    np.testing.assert_allclose(values(tmp_path), meant, rtol=1e-6)


def test_one_scale_for_8_bit_floats(rng, tmp_path):
    weight = torch.from_numpy(rng.normal(size=(12, 10))).to(torch.float8_e4m3fn)
    one = torch.tensor(0.25)
    state = {"fc1.weight": weight, "fc1.weight_scale": one, "fc1.input_scale": torch.tensor(9.0)}
    save_torch(state, tmp_path / "model.safetensors")
    np.testing.assert_array_equal(values(tmp_path), 0.25 * weight.to(torch.float32).numpy())


@pytest.mark.parametrize("zeros", [False, True])
def test_groups_in_rows_of_whole_numbers(rng, zeros):
    stored = rng.integers(-100, 100, (12, 64)).astype(np.int8)
    scale = rng.uniform(0.01, 0.02, (12, 4)).astype(np.float32)
    zero = rng.integers(-3, 4, (12, 4)).astype(np.int8)
    state = {"fc1.weight": stored, "fc1.weight_scale": scale}
    if zeros:
        state["fc1.weight_zero_point"] = zero
    each = np.repeat(zero if zeros else 0 * zero, 16, axis=1)
    meant = (stored.astype(float) - each) * np.repeat(scale, 16, axis=1)
    np.testing.assert_allclose(values(state), meant, rtol=1e-6)


def test_bitsandbytes_of_8_bits(rng):
    weight = rng.normal(size=(12, 10))
    largest = np.abs(weight).max(axis=1).astype(np.float32)
    stored = np.round(weight / largest[:, None] * 127).astype(np.int8)
    state = {
        "fc1.weight": stored,
        "fc1.SCB": largest,
        "fc1.weight_format": np.array(0, np.uint8),
    }
    assert np.abs(values(state) - weight).max() <= 0.51 * largest.max() / 127
    state["fc1.weight_format"] = np.array(2, np.uint8)
    assert "of one kind of processor" in reasons(state)["fc1.weight"]


# --- what is not known --------------------------------------------------------------------


def test_a_recipe_that_is_not_known_counts_as_not_read(rng, tmp_path):
    state = {
        "fc1.W_q": rng.integers(0, 255, (64, 32)).astype(np.uint8),
        "fc1.meta_scale": rng.normal(size=(64, 4)).astype(np.float32),
        "head.weight": rng.normal(size=(10, 32)).astype(np.float32),
    }
    told = analysed(folder(tmp_path, state, quant_method="hqq"))
    assert {skip.name: (skip.reason, skip.read) for skip in told.skipped}["fc1.W_q"] == (
        "quantised by hqq, whose recipe is not known here; "
        "save its weights as floats, or audit the model it was made from",
        False,
    )
    assert not told.complete
    assert "by a method that is not named" in reasons(state)["fc1.W_q"]


def test_words_without_scales_are_no_index(rng):
    state, _ = packers.gptq(rng, 4)
    del state["fc1.scales"]
    analysis = analysed(state)
    assert not analysis.complete
    assert "not known here" in reasons(state)["fc1.qweight"]


def test_an_index_in_a_quantised_model_stays_one(rng, tmp_path):
    state, _ = packers.gptq(rng, 4)
    state["embeddings.position_ids"] = np.arange(12)[None]
    state["attn.bias"] = np.tri(12, dtype=np.uint8)[None, None]
    told = analysed(folder(tmp_path, state, quant_method="gptq", bits=4))
    assert told.complete


def test_the_digest_depends_on_every_part_and_the_recipe(rng, tmp_path):
    state, _ = packers.gptq(rng, 4)
    one = analysed(folder(tmp_path, state, quant_method="gptq", bits=4)).layers[0].digest
    seen = {one}
    for name in state:
        other = {key: value.copy() for key, value in state.items()}
        other[name].reshape(-1)[[0, -1]] = other[name].reshape(-1)[[-1, 0]]
        changed = folder(tmp_path, other, quant_method="gptq", bits=4)
        seen.add(analysed(changed).layers[0].digest)
    stated = {"quant_method": "gptq", "bits": 4, "checkpoint_format": "gptq_v2"}
    seen.add(analysed(folder(tmp_path, state, **stated)).layers[0].digest)
    assert len(seen) == 2 + len(state)


ENDS = (
    *(".weight", ".qweight", ".qzeros", ".scales", ".g_idx", ".weight_packed", ".weight_scale"),
    *(".weight_shape", ".weight.absmax", ".weight.quant_map", ".weight_zero_point", "_blocks"),
    *(".weight.quant_state.bitsandbytes__nf4", "_scales", ".SCB", ".weight_scale_inv"),
    *(".weight.nested_absmax", ".weight.nested_quant_map", ".weight_scale_2", ".scale"),
)
SHAPES = ((), (3,), (16,), (2, 3), (32, 4), (4, 32), (16, 1), (0, 4), (2, 32, 16), (2, 32))
TYPES = (np.int8, np.uint8, np.int32, np.float32, np.float16, np.int64)


@oracles.steady
@given(
    st.dictionaries(
        st.sampled_from(ENDS),
        st.tuples(st.sampled_from(SHAPES), st.sampled_from(TYPES)),
        min_size=1,
    ),
    st.sampled_from([None, "gptq", "awq", "x"]),
)
def test_any_mixture_of_parts_is_accounted_for(parts, method):
    """Whatever lies beside whatever: a layer, or a reason, and no tensor twice."""
    state = {f"m{end}": np.ones(shape, kind) for end, (shape, kind) in parts.items()}
    analysis = analysed(state)
    told = [skip.name for skip in analysis.skipped]
    told += [layer.name for layer in analysis.layers if layer.name in state]
    assert sorted(told) == sorted(state), method
