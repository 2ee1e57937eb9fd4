"""Small models of real architectures: what each of their tensors is taken for."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.numpy import load_file, save_file
from torch import nn

import auditor
from auditor.records import LayerRecord

pytestmark = pytest.mark.wide

SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    **{"vocab_size": 50, "pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0},
}
MODELS: dict[str, tuple[str, dict[str, Any], dict[str, int]]] = {
    "gpt2": ("GPT2LMHeadModel", {"n_positions": 16}, {"embedding": 2, "qkv": 1, "dense": 3}),
    "llama": (
        "LlamaForCausalLM",
        {"num_key_value_heads": 2},
        {"embedding": 1, "dense": 7, "head": 1},
    ),
    "bert": ("BertModel", {}, {"embedding": 3, "dense": 7}),
    "mixtral": (
        "MixtralForCausalLM",
        {"num_key_value_heads": 2, "num_local_experts": 3},
        {"embedding": 1, "dense": 5, "experts": 2, "head": 1},
    ),
    "vit": (
        "ViTModel",
        {"image_size": 32, "patch_size": 8},
        {"conv2d": 1, "embedding": 1, "dense": 7},
    ),
    "mamba": ("MambaForCausalLM", {"state_size": 4}, {"embedding": 1, "depthwise": 1, "dense": 5}),
    "wav2vec2": (
        "Wav2Vec2Model",
        {
            **{"conv_dim": [16, 16], "conv_stride": [2, 2], "conv_kernel": [3, 3]},
            **{"num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 4},
        },
        {"conv1d": 3, "dense": 7},
    ),
}


def model(kind: str, **changed: object) -> nn.Module:
    """A model with random weights, made from a configuration alone."""
    name, config, _ = MODELS[kind]
    torch.manual_seed(0)
    plain = {**SMALL, **config, **changed}
    made: nn.Module = getattr(transformers, name)(
        transformers.CONFIG_MAPPING[kind].from_dict(plain)
    )
    return made


def saved(kind: str, folder: Path, **changed: object) -> Path:
    model(kind, **changed).save_pretrained(folder)  # type: ignore[operator]
    return folder


def kinds(layers: tuple[LayerRecord, ...]) -> dict[str, int]:
    return dict(Counter(layer.kind for layer in layers))


@pytest.mark.parametrize("kind", MODELS)
def test_the_layers_of_a_model_are_what_they_are(kind):
    made = model(kind)
    analysis = auditor.analyze(made)
    assert kinds(analysis.layers) == MODELS[kind][2]
    told = {layer.name for layer in analysis.layers} | {skip.name for skip in analysis.skipped}
    assert told == set(made.state_dict())
    assert analysis.complete


@pytest.mark.parametrize("kind", ["gpt2", "llama", "bert", "vit", "mamba"])
def test_a_saved_model_is_read_alike(kind, tmp_path):
    """By names, shapes and ``config.json``, where no model object is at hand."""
    assert kinds(auditor.analyze(saved(kind, tmp_path)).layers) == MODELS[kind][2]


def test_a_grouped_convolution_does_not_mix_its_groups():
    """Its singular values are those of the whole map that it stands for, by position."""
    conv = nn.Conv1d(8, 12, 3, groups=4)
    (layer,) = auditor.analyze(nn.Sequential(conv)).layers
    assert (layer.kind, layer.measured.num_evals) == ("conv1d", 24)
    weight = conv.weight.detach().numpy()
    whole = np.zeros((3, 12, 8))
    for group in range(4):
        rows, cols = slice(3 * group, 3 * group + 3), slice(2 * group, 2 * group + 2)
        whole[:, rows, cols] = np.moveaxis(weight[rows], 2, 0)
    largest = np.linalg.svd(whole, compute_uv=False).max()
    assert layer.metrics["sv_max"] == pytest.approx(largest, rel=1e-6)


@pytest.mark.parametrize("groups", [1, 2])
def test_a_transposed_convolution_is_named_as_one(groups):
    conv = nn.ConvTranspose2d(8, 6, 3, groups=groups)
    (layer,) = auditor.analyze(nn.Sequential(conv)).layers
    assert (layer.kind, layer.shape) == ("convtranspose2d", (8, 6 // groups, 3, 3))
    assert layer.measured.num_evals == 9 * groups * min(8 // groups, 6 // groups)


# --- fused projections --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "changed"), [("gpt2", {}), ("gpt_neox", {}), ("phi3", {"num_key_value_heads": 2})]
)
def test_fused_projections_are_split_as_the_model_does(kind, changed, tmp_path, monkeypatch):
    """Against the projections of an equal model that holds them apart."""
    names = {"gpt_neox": "GPTNeoXModel", "phi3": "Phi3Model"}
    monkeypatch.setitem(MODELS, kind, MODELS.get(kind, (names.get(kind, ""), {}, {})))
    folder = saved(kind, tmp_path, **changed)
    analysis = auditor.analyze(folder, split_qkv=True)
    found = {layer.name: layer for layer in analysis.layers if layer.name.endswith("]")}
    tensors = load_file(folder / "model.safetensors")
    for name, tensor in tensors.items():
        if f"{name}[q]" not in found:
            continue
        for part, wanted in zip("qkv", apart(kind, tensor), strict=True):
            layer = found.pop(f"{name}[{part}]")
            norm = np.square(wanted.astype(float)).sum()
            assert (layer.shape, layer.kind) == (wanted.shape, "dense")
            assert layer.metrics["norm"] == pytest.approx(norm, rel=1e-6)
    assert found == {}
    assert len(analysis.layers) > 3
    assert analysis.complete


def apart(kind: str, fused: Any) -> list[Any]:
    """Query, key and value as the model's own code takes them."""
    if kind == "gpt2":  # Conv1D: (in, out)
        return np.split(fused, 3, axis=1)
    if kind == "phi3":  # four heads of queries, two of keys
        return np.split(fused, [32, 48])
    heads = fused.reshape(4, 3, 8, 32)
    return [heads[:, i].reshape(32, 32) for i in range(3)]


def test_a_projection_of_unknown_layout_stays_whole(rng):
    state = {"h.0.attn.query_key_value.weight": rng.normal(size=(48, 16))}
    (layer,) = auditor.analyze(state, split_qkv=True).layers
    assert (layer.name, layer.kind) == ("h.0.attn.query_key_value.weight", "qkv")


# --- tied weights -------------------------------------------------------------------------


@pytest.mark.parametrize(("tied", "same"), [(True, True), (True, False), (False, True)])
def test_a_head_is_tied_only_if_it_holds_the_embedding(tied, same, tmp_path):
    folder = saved("llama", tmp_path, tie_word_embeddings=tied)
    state = load_file(folder / "model.safetensors")
    head = state["model.embed_tokens.weight"].copy()
    head[0, 0] += 0.0 if same else 1.0
    save_file({**state, "lm_head.weight": head}, folder / "model.safetensors")
    analysis = auditor.analyze(folder)
    reasons = {skip.name: skip.reason for skip in analysis.skipped}
    if tied and same:
        assert reasons["lm_head.weight"] == "tied to model.embed_tokens.weight"
    else:
        assert "lm_head.weight" in {layer.name for layer in analysis.layers}
    assert analysis.complete


# --- parts --------------------------------------------------------------------------------


def test_without_pooling_every_slice_is_measured_alone(rng):
    w = rng.normal(size=(12, 10, 2, 2)).astype(np.float32)
    analysis = auditor.analyze({"conv.weight": w, "fc1.weight": w[:, :, 0, 0]}, pool=False)
    names = [f"conv.weight[{i}]" for i in range(4)]
    assert [layer.name for layer in analysis.layers] == [*names, "fc1.weight"]
    for i, layer in enumerate(analysis.layers[:4]):
        largest = np.linalg.svd(w[:, :, i // 2, i % 2], compute_uv=False)[0]
        assert layer.metrics["sv_max"] == pytest.approx(largest, rel=1e-6)
    assert sum(layer.parameters for layer in analysis.layers) == w.size + 120
    assert len({layer.digest for layer in analysis.layers}) == 5


@pytest.mark.parametrize("convention", ["auditor", "weightwatcher"])
def test_the_published_slices_of_a_real_network(data, convention):
    """The reference halves a slice of a Conv2d, times the area of its kernel."""
    path = data / "weights/distiller_resnet20/dense.safetensors"
    analysis = auditor.analyze(path, pool=False, convention=convention)
    w = load_file(path)["layer1.0.conv1.weight"]
    factor = 4.5 if convention == "weightwatcher" else 1.0
    layer = next(one for one in analysis.layers if one.name == "layer1.0.conv1.weight[4]")
    largest = np.linalg.svd(w[:, :, 1, 1].astype(float), compute_uv=False)[0] ** 2
    assert layer.metrics["lambda_max"] == pytest.approx(factor * largest, rel=1e-9)


def test_real_adapters_are_all_pairs(data):
    for name, rank in (("lora_disney", 1), ("analog_svd_rank4", 4)):
        analysis = auditor.analyze(data / f"weights/lora_sd/{name}.safetensors")
        assert {layer.kind for layer in analysis.layers} == {"lora"}
        assert len(analysis.layers) == 192
        assert all(layer.metrics["matrix_rank"] <= rank for layer in analysis.layers)
        assert analysis.complete
