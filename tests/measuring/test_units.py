"""What is measured together: every tensor in one unit, adapters and scales with their own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

import auditor
from auditor.cli import run
from auditor.errors import UsageError
from tests.spectral import oracles

PAIRS = [  # names of A, of B, of their layer
    ("m.q.lora_A.weight", "m.q.lora_B.weight", "m.q.lora"),
    ("m.q.lora_A.default.weight", "m.q.lora_B.default.weight", "m.q.lora.default"),
    ("m.q.lora_embedding_A", "m.q.lora_embedding_B", "m.q.lora"),
    ("unet_q.lora_down.weight", "unet_q.lora_up.weight", "unet_q.lora"),
    ("m.q.lora.down.weight", "m.q.lora.up.weight", "m.q.lora"),
    ("m.q_lora.down.weight", "m.q_lora.up.weight", "m.q.lora"),
    ("text_encoder:0:down", "text_encoder:0:up", "text_encoder:0.lora"),
]


def factors(rng, rank=9, out=12, inputs=20, kernel=()):
    """A pair as files have it: float32, dimensions of the kernel behind."""
    down = rng.normal(size=(rank, inputs, *kernel)).astype(np.float32)
    up = rng.normal(size=(out, rank, *(1,) * len(kernel))).astype(np.float32)
    return down, up


def reasons(analysis):
    return {skip.name: skip.reason for skip in analysis.skipped}


# --- adapters -----------------------------------------------------------------------------


@pytest.mark.parametrize(("a", "b", "name"), PAIRS)
def test_two_factors_are_one_layer_with_the_spectrum_of_their_product(rng, a, b, name):
    down, up = factors(rng)
    analysis = auditor.analyze({b: up, a: down})
    (layer,) = analysis.layers
    assert (layer.name, layer.kind, layer.shape) == (name, "lora", (12, 20))
    assert (layer.measured.num_evals, layer.parameters) == (9, down.size + up.size)
    singular = np.linalg.svd(up.astype(float) @ down.astype(float), compute_uv=False)
    assert layer.metrics["norm"] == pytest.approx(np.square(singular).sum(), rel=1e-12)
    assert layer.metrics["sv_min"] == pytest.approx(singular[8], rel=1e-9)
    assert layer.metrics["matrix_rank"] == 9
    assert reasons(analysis) == dict.fromkeys((a, b), f"factor of {name}")
    assert analysis.complete


@pytest.mark.parametrize("kernel", [(1, 1), (3, 3)])
def test_the_factors_of_a_convolution_are_a_matrix_for_each_position(rng, kernel):
    down, up = factors(rng, kernel=kernel)
    (layer,) = auditor.analyze({"c.lora_down.weight": down, "c.lora_up.weight": up}).layers
    positions = np.prod(kernel)
    assert (layer.shape, layer.measured.num_evals) == ((12, 20, *kernel), 9 * positions)
    product = np.einsum("or,rikl->oikl", up[:, :, 0, 0].astype(float), down.astype(float))
    assert layer.metrics["norm"] == pytest.approx(np.square(product).sum(), rel=1e-12)


def test_a_stored_alpha_scales_the_product(rng):
    down, up = factors(rng)
    plain = {"q.lora_down.weight": down, "q.lora_up.weight": up}
    scaled = {**plain, "q.alpha": np.array(18.0, np.float32)}
    (one,), (two,) = (auditor.analyze(state).layers for state in (plain, scaled))
    assert two.metrics["norm"] == pytest.approx(4.0 * one.metrics["norm"], rel=1e-12)
    assert two.digest != one.digest
    assert reasons(auditor.analyze(scaled))["q.alpha"] == "scale of q.lora"


def test_the_adapters_configuration_scales_the_product(rng, tmp_path):
    down, up = factors(rng)
    state = {"q.lora_A.weight": down, "q.lora_B.weight": up}
    save_file(state, tmp_path / "adapter_model.safetensors")
    (plain,) = auditor.analyze(tmp_path).layers
    (tmp_path / "adapter_config.json").write_text('{"lora_alpha": 18, "r": 9}')
    (scaled,) = auditor.analyze(tmp_path).layers
    assert scaled.metrics["norm"] == pytest.approx(4.0 * plain.metrics["norm"], rel=1e-12)


def test_distances_between_adapters_are_those_of_their_products(rng):
    before, after = factors(rng), factors(rng, rank=5)
    names = ("q.lora_A.weight", "q.lora_B.weight")
    first, second = (dict(zip(names, pair, strict=True)) for pair in (before, after))
    found = auditor.compare(first, second, more=True)
    (change,) = found.comparison.layers
    one, two = (up.astype(float) @ down.astype(float) for down, up in (before, after))
    assert change.distances["delta_W"] == pytest.approx(np.linalg.norm(one - two), rel=1e-12)
    assert change.distances["delta_rank"] <= 14.0
    assert (found.added, found.removed) == ((), ())


@pytest.mark.parametrize("broken", ["q.lora_A.weight", "q.lora_B.weight"])
def test_a_broken_factor_is_named_and_its_pair_not_analysed(rng, broken):
    state = dict(zip(("q.lora_A.weight", "q.lora_B.weight"), factors(rng), strict=True))
    state[broken][0, 0] = np.nan
    analysis = auditor.analyze(state)
    assert analysis.layers == ()
    other = next(name for name in state if name != broken)
    assert reasons(analysis) == {broken: "non-finite", other: "factor of q.lora"}


@pytest.mark.parametrize("alpha", [np.nan, np.inf, 1e300])
def test_a_product_that_is_not_finite_is_skipped(rng, alpha):
    state = dict(zip(("q.lora_down.weight", "q.lora_up.weight"), factors(rng), strict=True))
    analysis = auditor.analyze({**state, "q.alpha": np.array(alpha)})
    assert analysis.layers == ()
    assert "non-finite" in reasons(analysis).values()


def test_factors_that_do_not_fit_are_two_layers(rng):
    down, up = factors(rng)
    state = {"q.lora_A.weight": down, "q.lora_B.weight": up[:, :-1], "r.lora_A.weight": down}
    assert {layer.kind for layer in auditor.analyze(state).layers} == {"dense"}


def test_the_name_of_another_tensor_is_not_taken(rng):
    down, up = factors(rng)
    state = {"q.lora_A.weight": down, "q.lora_B.weight": up, "q.lora": up.T}
    assert sorted(layer.name for layer in auditor.analyze(state).layers) == sorted(state)


def test_an_adapter_of_zeros_is_a_zero_layer(rng):
    down, up = factors(rng)
    (layer,) = auditor.analyze({"q.lora_A.weight": down, "q.lora_B.weight": 0 * up}).layers
    assert layer.measured.status == "zero"


@pytest.mark.parametrize("convention", ["auditor", "weightwatcher"])
def test_factors_have_no_random_twin(rng, convention):
    state = dict(zip(("q.lora_A.weight", "q.lora_B.weight"), factors(rng), strict=True))
    options = {"randomize": True, "mp_fit": True, "vectors": True, "convention": convention}
    (layer,) = auditor.analyze(state, **options).layers
    assert np.isnan(layer.metrics["max_rand_eval"])


# --- quantised weights --------------------------------------------------------------------


@pytest.mark.parametrize("scale_name", ["fc1.weight_scale", "fc1.scale"])
@pytest.mark.parametrize("zero_name", [None, "fc1.weight_zero_point", "fc1.zero_point"])
@pytest.mark.parametrize("rows", [1, 12])
def test_whole_numbers_with_a_scale_are_the_weights_they_stand_for(
    rng, scale_name, zero_name, rows
):
    stored = rng.integers(-100, 100, (12, 10)).astype(np.int8)
    scale = rng.uniform(0.01, 0.02, (rows, 1)).astype(np.float32)
    state = {"fc1.weight": stored, scale_name: scale}
    if zero_name:
        state[zero_name] = np.full(rows, 3, np.int8)
    (layer,) = auditor.analyze(state).layers
    meant = (stored.astype(float) - (3 if zero_name else 0)) * scale
    assert (layer.name, layer.dtype, layer.kind) == ("fc1.weight", "int8", "dense")
    assert layer.metrics["norm"] == pytest.approx(np.square(meant).sum(), rel=1e-6)
    assert reasons(auditor.analyze(state))[scale_name] == "scale of fc1.weight"


def test_a_scale_of_another_shape_is_said():
    state = {
        "fc1.weight": np.full((8, 6), 7, np.int8),
        "fc1.weight_scale": np.ones((8, 3), np.float32),
    }
    analysis = auditor.analyze(state)
    assert (analysis.layers, analysis.complete) == ((), False)
    assert reasons(analysis)["fc1.weight"] == (
        "quantised (8-bit with scales): 'fc1.weight_scale' of shape 8×3 is not one value, "
        "or one for a row, group or tile"
    )


def test_the_scale_belongs_to_the_digest():
    stored = np.arange(-24, 24, dtype=np.int8).reshape(8, 6)
    digests = {
        auditor.analyze({"fc1.weight": stored, "fc1.scale": np.array(s)}).layers[0].digest
        for s in (0.5, 0.25)
    }
    assert len(digests) == 2


# --- which layers -------------------------------------------------------------------------


def test_layers_are_chosen_by_patterns():
    state = {f"h.{i}.{part}.weight": np.eye(4) for i in range(3) for part in ("mlp", "attn")}
    analysis = auditor.analyze({**state, "h.0.mlp.bias": np.ones(4)}, layers=["h.*", "!*.attn.*"])
    assert [layer.name for layer in analysis.layers] == [f"h.{i}.mlp.weight" for i in range(3)]
    unselected = [name for name, reason in reasons(analysis).items() if reason == "not selected"]
    assert sorted(unselected) == [f"h.{i}.attn.weight" for i in range(3)]
    assert analysis.complete


def test_what_nobody_asked_for_may_be_broken():
    state = {"a.weight": np.eye(9), "b.weight": np.full((9, 9), np.nan)}
    analysis = auditor.analyze(state, layers=["a.*"])
    assert analysis.complete
    assert reasons(analysis) == {"b.weight": "not selected"}


def test_patterns_without_a_match_name_what_is_near():
    state = {"encoder.fc1.weight": np.eye(4), "decoder.fc1.weight": np.eye(4)}
    with pytest.raises(UsageError) as caught:
        auditor.analyze(state, layers=["encodr.*"])
    assert str(caught.value) == (
        "no layer is called as encodr.* asks; among the 2 names there are "
        "encoder.fc1.weight, decoder.fc1.weight"
    )


def test_a_baseline_is_asked_for_the_same_layers():
    before = {"a.weight": np.eye(9), "b.weight": np.eye(9), "c.weight": np.eye(9)}
    after = {"a.weight": 2 * np.eye(9), "b.weight": 2 * np.eye(9)}
    found = auditor.compare(before, after, layers=["a.*"])
    assert [change.name for change in found.comparison.layers] == ["a.weight"]
    assert (found.added, found.removed) == ((), ())


PIECES = (
    *("q", ".lora_A", ".lora_B", "_lora.down", ".lora.up", ":down", ":up", ".default"),
    *(".weight", ".alpha", ".scale", ".weight_scale", ".lora", "."),
)


@oracles.steady
@given(
    st.lists(
        st.lists(st.sampled_from(PIECES), max_size=4).map("".join),
        unique=True,
        min_size=1,
        max_size=12,
    )
)
def test_every_tensor_is_accounted_for(names):
    """A name is a layer or a skip once, whatever the names suggest."""
    types = (np.float32, np.int8)
    state = {name: (np.eye(4) * (2 + i)).astype(types[i % 2]) for i, name in enumerate(names)}
    analysis = auditor.analyze(state, min_evals=5)
    told = [layer.name for layer in analysis.layers if layer.kind != "lora"]
    told += [skip.name for skip in analysis.skipped]
    assert sorted(told) == sorted(names)


def test_the_command_line_tells_what_was_not_selected(rng, tmp_path, capsys):
    down, up = factors(rng)
    names = ("a.lora_A.weight", "a.lora_B.weight")
    state = dict(zip(names, (down, up), strict=True)) | {"b.weight": down, "c.bias": up[0]}
    save_file(state, tmp_path / "model.safetensors")
    assert run(["analyze", str(tmp_path), "--layers", "a.*", "--layers", "c.*"]) == 0
    assert "1 layers, 2 tensors skipped, 1 of them not selected" in capsys.readouterr().out
