"""What a version's configuration adds to its tensors, and what it may not do."""

import json
import logging

import pytest

from auditor.architecture import match, understand
from auditor.architecture.building import build
from auditor.records import Module, Reading
from auditor.weights import Inventory, Tensor

WHISPER = {
    "model_type": "whisper",
    "architectures": ["WhisperForConditionalGeneration"],
    **dict.fromkeys(("encoder_layers", "decoder_layers"), 1),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 2),
    **dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim"), 16),
    **{"d_model": 8, "vocab_size": 20, "num_mel_bins": 4},
    **{"max_source_positions": 6, "max_target_positions": 5},
    **dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id"), 0),
    "decoder_start_token_id": 0,
    "is_encoder_decoder": True,
}
LINEAR = Module("linear", (4, 3))


def tensor(name: str, shape: tuple[int, ...] = (4, 3), file: str = "model.safetensors") -> Tensor:
    return Tensor(name, shape, "float32", file, bytes)


def inventory(*tensors: Tensor, **configs: object) -> Inventory:
    files = {name: json.dumps(config).encode() for name, config in configs.items()}
    return Inventory(tensors, (), Reading(files=(), bytes_read=0), files)


# --- names --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "encoder.layer.0.fc.weight",
        "bert.encoder.layer.0.fc.weight",
        "model.bert.encoder.layer.0.fc.weight",
        "layer.0.fc.weight",
        "sub/model.safetensors:bert.encoder.layer.0.fc.weight",
    ],
)
def test_a_tensor_is_found_whatever_stands_before_its_name(name):
    modules = {"bert.encoder.layer.0.fc.weight": LINEAR, "bert.pooler.fc.weight": LINEAR}
    found = match([tensor(name, file="sub/model.safetensors")], modules)
    assert found == {name: "bert.encoder.layer.0.fc.weight"}


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("0.fc.weight", (4, 3)),  # of layer 0 of two stacks
        ("weight", (4, 3)),
        ("encoder.layer.0.fc.weight", (3, 4)),
        ("a.b.c.d.e.f.encoder.layer.0.fc.weight", (4, 3)),
        ("", (4, 3)),
    ],
)
def test_a_name_that_may_be_two_or_has_another_shape_is_none(name, shape):
    modules = {"encoder.layer.0.fc.weight": LINEAR, "decoder.layer.0.fc.weight": LINEAR}
    assert match([tensor(name, shape)], modules) == {}


@pytest.mark.parametrize("end", ["parametrizations.weight.original1", "weight_v"])
def test_the_halves_of_a_normalised_weight_have_two_names(end):
    conv = Module("conv1d", (8, 2, 3), groups=4)
    modules = {"pos_conv.parametrizations.weight.original1": conv}
    assert list(match([tensor(f"pos_conv.{end}", (8, 2, 3))], modules)) == [f"pos_conv.{end}"]


# --- files --------------------------------------------------------------------------------


def test_the_configuration_beside_the_weights_is_theirs():
    inner = tensor("qkv.weight", file="text_encoder/model.safetensors")
    outer = tensor("qkv.weight", file="unet/model.safetensors")
    found = understand(
        inventory(
            inner,
            outer,
            **{
                "config.json": {"n_head": 2, "n_embd": 8},
                "text_encoder/config.json": {"n_head": 4, "n_embd": 8},
            },
        )
    )
    assert [one.queries for one in found.heads(inner)] == [4]
    assert [one.queries for one in found.heads(outer)] == [2]


def test_a_broken_configuration_is_only_noted(caplog):
    caplog.set_level(logging.INFO)
    broken = Inventory((tensor("a.b"),), (), Reading((), 0), {"config.json": b"{"})
    assert understand(broken).heads(tensor("a.b")) == ()
    assert [record.event for record in caplog.records] == ["config.unread"]


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("h.0.fc.weight", (4, 3)),
        ("embeddings.patch_embeddings.projection.weight", (8, 3, 4, 4)),
        ("layers.0.mixer.conv1d.weight", (8, 1, 4)),
        ("vit.pos_embed", (1, 5, 8)),
        ("layers.0.mlp.experts.down_proj", (4, 8, 8)),
    ],
)
def test_no_model_is_made_where_names_and_shapes_say_it_all(name, shape, caplog):
    caplog.set_level(logging.INFO)
    config = {"model_type": "no such model"}
    found = understand(inventory(tensor(name, shape), **{"config.json": config}))
    assert (found.modules, caplog.records) == ({}, [])


# --- the model ----------------------------------------------------------------------------


@pytest.mark.wide
def test_a_model_is_made_without_values_where_a_reading_depends_on_it():
    """Names as the base model has them, without the part that every name begins with."""
    shapes = {
        "encoder.conv1.weight": (8, 4, 3),
        "encoder.layers.0.fc1.weight": (16, 8),
        "decoder.embed_tokens.weight": (20, 8),
        "decoder.layers.0.fc1.weight": (16, 8),
    }
    tensors = [tensor(name, shape) for name, shape in shapes.items()]
    found = understand(inventory(*reversed(tensors), **{"config.json": WHISPER}))
    assert found.modules["encoder.conv1.weight"].kind == "conv1d"
    places = found.positions
    assert sorted(shapes, key=places.__getitem__) == list(shapes)
    (skip,) = found.absent
    assert (skip.name, skip.reason) == ("proj_out.weight", "tied to decoder.embed_tokens.weight")


def test_a_model_that_cannot_be_made_is_only_noted(caplog):
    caplog.set_level(logging.INFO)
    assert build('{"model_type": "no such model"}') == {}
    (record,) = caplog.records
    assert record.event == "architecture.unknown"
    assert "no such model" in record.message


@pytest.mark.wide
@pytest.mark.parametrize(
    "changed",
    [
        {"encoder_layers": 10**9},  # time
        {"vocab_size": 10**30},
        {"architectures": ["AutoModel", "pipeline"]},
        {"architectures": ["pipeline"], "auto_map": {"AutoModel": "evil--evil.Evil"}},
    ],
)
def test_a_hostile_configuration_ends_in_bounds(changed):
    build(json.dumps({**WHISPER, **changed}))
