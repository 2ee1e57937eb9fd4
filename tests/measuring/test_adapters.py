"""Adapters on their base: the weight they make, and how far it is from the one before."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from auditor.cli import run
from auditor.given import inventory_of
from auditor.measuring import Baseline, Bench, Measured, measure_version
from auditor.memory import Passing
from auditor.records import LayerChange, Settings
from tests.measuring import packers
from tests.measuring.test_pairing import VERSION

Array = NDArray[Any]
State = Mapping[str, Array]
PLAIN = Settings(bootstrap=0, mp_fit=False, randomize=False)
OUT, IN, RANK = 12, 20, 3
SITE = "model.layers.0.self_attn.q_proj"


def folder(path: Path, state: State, **config: object) -> Path:
    path.mkdir(exist_ok=True)
    save_file(dict(state), path / "adapter_model.safetensors")
    if config:
        (path / "adapter_config.json").write_text(json.dumps(config))
    return path


def measured(model: object, base: object = None) -> Measured:
    bench = Bench(Passing(), PLAIN, 2**32)
    if base is None:
        with inventory_of(model) as inventory:
            return measure_version(inventory, None, bench)
    with inventory_of(base) as before, inventory_of(model) as inventory:
        tensors = {tensor.name: tensor for tensor in before.tensors}
        baseline = Baseline(VERSION, tensors, {}, configs=before.configs)
        return measure_version(inventory, baseline, bench)


def changes(model: object, base: object) -> dict[str, LayerChange]:
    comparison = measured(model, base).comparison
    assert comparison is not None
    assert (comparison.added, comparison.removed) == ((), ())
    return {change.name: change for change in comparison.layers}


@pytest.fixture
def base(rng) -> dict[str, Array]:
    """Two layers, of which adapters change one."""
    shapes = {f"{SITE}.weight": (OUT, IN), "model.layers.0.mlp.up_proj.weight": (IN, OUT)}
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture
def pair(rng) -> tuple[Array, Array]:
    down = rng.normal(size=(RANK, IN)).astype(np.float32)
    return down, (0.1 * rng.normal(size=(OUT, RANK))).astype(np.float32)


def peft(pair: tuple[Array, Array], site: str = SITE) -> dict[str, Array]:
    names = (f"base_model.model.{site}.lora_{factor}.weight" for factor in "AB")
    return dict(zip(names, pair, strict=True))


def product(pair: tuple[Array, Array]) -> Array:
    down, up = pair
    return np.asarray(up.astype(float) @ down.astype(float))


# --- the merged weight --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "scale"),
    [
        ({}, 1.0),
        ({"lora_alpha": 6}, 2.0),
        ({"lora_alpha": 6, "use_rslora": True}, 6 / 3**0.5),
        ({"lora_alpha": 6, "alpha_pattern": {"q_proj": 12}, "rank_pattern": {"q_proj": 3}}, 4.0),
    ],
)
def test_an_adapter_on_its_base_is_the_weight_they_make(base, pair, tmp_path, config, scale):
    found = measured(folder(tmp_path, peft(pair), **config), base)
    (layer,) = found.layers
    weight = base[f"{SITE}.weight"]
    merged = weight.astype(float) + scale * product(pair)
    assert (layer.name, layer.kind, layer.shape) == (f"{SITE}.weight", "dense", (OUT, IN))
    assert layer.measured.num_evals == OUT
    assert layer.metrics["norm"] == pytest.approx(np.square(merged).sum(), rel=1e-12)
    assert found.comparison is not None
    (change,) = found.comparison.layers
    far = np.linalg.norm(scale * product(pair))
    assert change.distances["delta_W"] == pytest.approx(far, rel=1e-6)
    assert change.distances["relative"] == pytest.approx(far / np.linalg.norm(weight), rel=1e-6)
    assert change.before.metrics["norm"] == pytest.approx(np.square(weight).sum(), rel=1e-6)
    assert {skip.reason for skip in found.skipped} == {f"factor of {SITE}.weight"}


def test_what_an_adapter_leaves_alone_neither_came_nor_went(base, pair):
    assert list(changes(peft(pair), base)) == [f"{SITE}.weight"]


def test_without_its_base_it_is_what_its_factors_multiply_to(pair):
    (layer,) = measured(peft(pair)).layers
    assert (layer.name, layer.kind) == (f"base_model.model.{SITE}.lora", "lora")


def test_with_the_base_beside_it_it_is_added_to_that(base, pair):
    found = measured({**base, **peft(pair)})
    layers = {layer.name: layer for layer in found.layers}
    assert set(layers) == set(base)
    merged = base[f"{SITE}.weight"] + product(pair)
    assert layers[f"{SITE}.weight"].metrics["norm"] == pytest.approx(np.square(merged).sum())
    assert len(found.skipped) == 2


def test_a_merged_version_is_compared_with_the_base_alone(base, pair):
    distances = {
        name: c.distances["delta_W"] for name, c in changes({**base, **peft(pair)}, base).items()
    }
    assert distances[f"{SITE}.weight"] == pytest.approx(np.linalg.norm(product(pair)), rel=1e-6)
    assert distances["model.layers.0.mlp.up_proj.weight"] == 0.0


def test_a_fresh_adapter_is_its_base(base, pair):
    (change,) = changes(peft((pair[0], 0 * pair[1])), base).values()
    assert change.distances["delta_W"] == 0.0


def test_two_adapters_of_one_weight_stay_apart(base, pair):
    names = [name.replace(".weight", ".other.weight") for name in peft(pair)]
    both = {**peft(pair), **{name: 2 * half for name, half in zip(names, pair, strict=True)}}
    found = measured(both, base)
    assert {layer.kind for layer in found.layers} == {"lora"}
    assert len(found.layers) == 2


def test_adapters_of_two_versions_are_compared_with_one_another(pair):
    (change,) = changes(peft(pair), peft((2 * pair[0], pair[1]))).values()
    assert change.distances["delta_W"] == pytest.approx(np.linalg.norm(product(pair)), rel=1e-6)


def test_a_convolution_is_changed_at_every_position(rng, pair):
    down = rng.normal(size=(RANK, IN, 3, 3)).astype(np.float32)
    up = pair[1][:, :, None, None]
    conv = rng.normal(size=(OUT, IN, 3, 3)).astype(np.float32)
    state = {"c.lora_down.weight": down, "c.lora_up.weight": up}
    (change,) = changes(state, {"c.weight": conv}).values()
    far = np.linalg.norm(np.einsum("or,rikl->oikl", up[:, :, 0, 0], down))
    assert change.distances["delta_W"] == pytest.approx(far, rel=1e-5)


@pytest.mark.parametrize("square", [True, False])
def test_weights_stored_as_in_out_are_changed_that_way(rng, tmp_path, square):
    """As `Conv1D` of GPT-2 has them; where the shape does not tell, the configuration does."""
    side = OUT if square else IN
    weight = rng.normal(size=(side, OUT))
    pair = rng.normal(size=(RANK, side)), rng.normal(size=(OUT, RANK))
    merged = weight + product(pair).T
    adapter = folder(tmp_path, peft(pair, "h.0.c_proj"), fan_in_fan_out=True)
    (layer,) = measured(adapter, {"h.0.c_proj.weight": weight}).layers
    top = np.linalg.svd(merged, compute_uv=False)[0]
    assert layer.metrics["sv_max"] == pytest.approx(top, rel=1e-9)
    assert layer.shape == (side, OUT)


def test_an_embedding_is_changed_by_what_is_turned(rng):
    weight = rng.normal(size=(30, 30))
    down, up = rng.normal(size=(RANK, 30)), rng.normal(size=(30, RANK))
    state = {"m.emb.lora_embedding_A": down, "m.emb.lora_embedding_B": up}
    (layer,) = measured(state, {"m.emb.weight": weight}).layers
    top = np.linalg.svd(weight + (up @ down).T, compute_uv=False)[0]
    assert layer.metrics["sv_max"] == pytest.approx(top, rel=1e-9)


# --- what is more than a sum --------------------------------------------------------------


@pytest.mark.parametrize("end", ["", ".weight"])
def test_dora_gives_every_output_its_length(base, pair, rng, end):
    lengths = rng.uniform(1, 2, OUT).astype(np.float32)
    state = {**peft(pair), f"base_model.model.{SITE}.lora_magnitude_vector{end}": lengths}
    found = measured(state, base)
    (layer,) = found.layers
    assert layer.metrics["norm"] == pytest.approx(np.square(lengths.astype(float)).sum(), rel=1e-9)
    direction = base[f"{SITE}.weight"] + product(pair)
    merged = [m * row / np.sqrt(sum(row**2)) for m, row in zip(lengths, direction, strict=True)]
    top = np.linalg.svd(np.array(merged), compute_uv=False)[0]
    assert layer.metrics["sv_max"] == pytest.approx(top, rel=1e-9)
    assert f"scale of {SITE}.weight" in {skip.reason for skip in found.skipped}


@pytest.mark.parametrize("lengths", [(OUT + 1,), (OUT, 2)])
def test_lengths_that_do_not_fit_are_not_applied(base, pair, lengths):
    state = {**peft(pair), f"base_model.model.{SITE}.lora_magnitude_vector": np.ones(lengths)}
    (layer,) = measured(state, base).layers
    assert layer.kind == "lora"


def test_an_adapter_that_changes_its_base_first_is_not_added(base, pair, tmp_path):
    adapter = folder(tmp_path, peft(pair), init_lora_weights="pissa_niter_16")
    (layer,) = measured(adapter, base).layers
    assert layer.kind == "lora"


def test_whole_weights_that_an_adapter_holds_are_compared(base, pair):
    name = "base_model.model.model.layers.0.mlp.up_proj.modules_to_save.weight"
    saved = 3 * base["model.layers.0.mlp.up_proj.weight"]
    found = changes({**peft(pair), name: saved}, base)
    assert found["model.layers.0.mlp.up_proj.weight"].distances["relative"] == pytest.approx(2.0)
    assert len(found) == 2


@pytest.mark.parametrize("broken", [0, 1])
@pytest.mark.parametrize("beside", [False, True])
def test_a_broken_factor_spoils_the_weight(base, pair, broken, beside):
    pair[broken][0, 0] = np.nan
    found = measured({**base, **peft(pair)}) if beside else measured(peft(pair), base)
    assert f"{SITE}.weight" not in {layer.name for layer in found.layers}
    reasons = {skip.name: skip for skip in found.skipped}
    assert reasons[list(peft(pair))[broken]].reason == "non-finite"
    assert not reasons[f"{SITE}.weight"].read


def test_a_quantised_base_is_changed_as_what_it_stands_for(rng):
    """As QLoRA trains: on the values of the codes."""
    state, meant = packers.bitsandbytes(rng, nested=True)
    pair = rng.normal(size=(RANK, 40)), rng.normal(size=(24, RANK))
    (layer,) = measured(peft(pair, "fc1"), state).layers
    top = np.linalg.svd(meant + product(pair), compute_uv=False)[0]
    assert layer.metrics["sv_max"] == pytest.approx(top, rel=1e-6)
    assert layer.dtype == "nf4"


# --- names --------------------------------------------------------------------------------

UNET = "down_blocks.0.attentions.1.transformer_blocks.0.attn1.to_q"
NAMES = [  # first factor of a pair, weight of the base; empty: no weight is certain
    ("base_model.model.h.0.fc.lora_A.weight", "h.0.fc.weight"),
    ("base_model.model.transformer.h.0.fc.lora_A.weight", "h.0.fc.weight"),
    ("base_model.model.h.0.fc.lora_A.default.weight", "model.decoder.h.0.fc.weight"),
    (f"unet.{UNET}.lora.down.weight", f"unet.{UNET}.weight"),
    (f"{UNET.replace('to_q', 'processor.to_q')}_lora.down.weight", f"{UNET}.weight"),
    (f"lora_unet_{UNET.replace('.', '_')}.lora_down.weight", f"unet.{UNET}.weight"),
    (f"lora_unet_{UNET.replace('.', '_')}.lora_down.weight", f"{UNET}.weight"),
    ("lora_te_text_model_fc1.lora_down.weight", "text_encoder.text_model.fc1.weight"),
    ("lora_te2_text_model_fc1.lora_down.weight", "text_encoder_2.text_model.fc1.weight"),
    ("lora_te2_text_model_fc1.lora_down.weight", ""),
    ("base_model.model.encoder.h.0.fc.lora_A.weight", ""),
    ("text_encoder:0:down", ""),
]


@pytest.mark.parametrize(("factor", "weight"), NAMES)
def test_the_weight_of_an_adapter_is_found_by_the_names_of_every_tool(base, pair, factor, weight):
    second = factor
    for one, other in (
        ("lora_A", "lora_B"),
        ("lora_down", "lora_up"),
        ("lora.down", "lora.up"),
        (":down", ":up"),
    ):
        second = second.replace(one, other)
    others = ["text_encoder.text_model.fc1.weight", "decoder.h.0.fc.weight"]
    names = [weight] if weight else others
    weights = {name: base[f"{SITE}.weight"].copy() for name in names}
    (layer,) = measured({factor: pair[0], second: pair[1]}, weights).layers
    assert (layer.name, layer.kind != "lora") == (weight or layer.name, bool(weight))


def test_where_two_weights_fit_none_is_changed(base, pair):
    weights = {f"{tower}.h.0.fc.weight": base[f"{SITE}.weight"].copy() for tower in ("a", "b")}
    (layer,) = measured(peft(pair, "h.0.fc"), weights).layers
    assert layer.kind == "lora"


# --- as a user sees it --------------------------------------------------------------------


def test_the_command_line_compares_an_adapter_with_its_base(base, pair, tmp_path, capsys):
    adapter = folder(tmp_path / "adapter", peft(pair), lora_alpha=6)
    (tmp_path / "base").mkdir()
    save_file(base, tmp_path / "base/model.safetensors")
    code = run(["audit", str(adapter), "--baseline", str(tmp_path / "base"), "--json"])
    document = json.loads(capsys.readouterr().out)
    assert code in {0, 1, 4}
    (layer,) = document["layers"]
    assert layer["name"] == f"{SITE}.weight"
    far = np.linalg.norm(2 * product(pair)) / np.linalg.norm(base[f"{SITE}.weight"])
    (change,) = document["comparison"]["layers"]
    assert (change["name"], change["relative"]) == (layer["name"], pytest.approx(far, rel=1e-6))


@pytest.mark.data
@pytest.mark.wide
def test_real_adapters_are_added_to_weights_of_their_names(data, rng):
    """Numbered modules name no weight; under names of kohya-ss all of them do."""
    pairs = load_file(data / "weights/lora_sd/analog_svd_rank4.safetensors")
    modules = sorted(
        {name.rpartition(":")[0] for name in pairs if name.startswith("text_encoder")}
    )[:8]
    state: dict[str, Array] = {}
    weights: dict[str, Array] = {}
    for i, module in enumerate(modules):
        down, up = pairs[f"{module}:down"], pairs[f"{module}:up"]
        state |= {f"lora_te_h_{i}_q.lora_down.weight": down, f"lora_te_h_{i}_q.lora_up.weight": up}
        weights[f"text_encoder.h.{i}.q.weight"] = rng.normal(size=(len(up), down.shape[1]))
    found = changes(state, weights)
    assert set(found) == set(weights)
    for i, module in enumerate(modules):
        change = found[f"text_encoder.h.{i}.q.weight"]
        far = np.linalg.norm(pairs[f"{module}:up"].astype(float) @ pairs[f"{module}:down"])
        assert change.distances["delta_W"] == pytest.approx(far, rel=1e-6)
    originals = {name: value for name, value in pairs.items() if name.startswith("text_encoder")}
    assert {layer.kind for layer in measured(originals, weights).layers} == {"lora"}
