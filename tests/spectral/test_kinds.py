"""What a tensor is: by name, by shape, and by the module where that is known."""

import pytest

from auditor.records import Module
from auditor.spectral.kinds import is_stack, kind_of, order


@pytest.mark.parametrize(
    ("name", "shape", "kind"),
    [
        ("h.0.attn.c_attn.weight", (8, 24), "qkv"),
        ("layers.0.self_attn.in_proj_weight", (24, 8), "qkv"),
        ("lstm.weight_ih_l0", (32, 8), "rnn"),
        ("decoder.rnn.weight_hh", (32, 8), "rnn"),
        ("gpt_neox.embed_in.weight", (50, 8), "embedding"),
        ("layers.0.mixer.in_proj.weight", (24, 8), "dense"),
        ("conv.weight", (8, 8, 3), "conv1d"),
        ("conv.weight", (8, 1, 3), "depthwise"),
        ("conv.weight", (8, 1, 1), "conv1d"),
        ("layers.0.mlp.experts.down_proj", (3, 8, 8), "experts"),
        ("token_embd.weight", (50, 8), "embedding"),
        ("position_embd.weight", (50, 8), "embedding"),
        ("token_types.weight", (2, 8), "embedding"),
        ("per_layer_token_embd.weight", (50, 8), "embedding"),
        ("output.weight", (50, 8), "head"),
        ("blk.0.attn_output.weight", (8, 8), "dense"),
        ("blk.0.attn_q.weight", (8, 8), "dense"),
        ("blk.0.attn_qkv.weight", (24, 8), "qkv"),
        ("v.blk.0.attn_qkv.weight", (24, 8), "qkv"),
        ("blk.0.ffn_gate_exps.weight", (3, 8, 8), "experts"),
        ("blk.0.ffn_down_chexps.weight", (3, 8, 8), "experts"),
        ("blk.0.ffn_up_shexp.weight", (8, 8), "dense"),
        ("blk.0.ffn_gate_inp.weight", (3, 8), "dense"),
        ("blk.0.attn_k_b.weight", (3, 8, 8), "dense"),
        ("v.patch_embd.weight", (8, 3, 4, 4), "conv2d"),
        ("blk.0.ssm_conv1d.weight", (8, 4), "dense"),
    ],
)
def test_names_and_shapes_tell_kinds(name, shape, kind):
    assert kind_of(name, shape) == kind


@pytest.mark.parametrize(
    ("shape", "module", "kind"),
    [
        ((8, 4, 3), Module("conv1d", (8, 4, 3), groups=2), "conv1d"),
        ((8, 4, 3, 3), Module("conv2d", (8, 4, 3, 3), transposed=True), "convtranspose2d"),
        ((8, 1, 3, 3), Module("conv2d", (8, 1, 3, 3)), "conv2d"),  # reads a grey image
        ((8, 1, 3, 3), Module("conv2d", (8, 1, 3, 3), groups=8), "depthwise"),
        ((8, 4, 3), Module("other", (8, 4, 3)), "dense"),
        ((50, 8), Module("embedding", (50, 8)), "embedding"),
        ((50, 8), Module("linear", (50, 8)), "dense"),
    ],
)
def test_a_known_module_tells_what_a_shape_cannot(shape, module, kind):
    assert kind_of("blocks.0.thing", shape, module) == kind


def test_layers_of_llama_cpp_stand_in_the_order_of_the_model():
    names = ["output.weight", "blk.10.attn_q.weight", "blk.9.ffn_up.weight", "token_embd.weight"]
    assert order(names) == [names[3], names[2], names[1], names[0]]


def test_a_matrix_for_each_head_or_expert_is_no_kernel():
    assert is_stack("blk.0.attn_v_b.weight", (3, 8, 8))
    assert is_stack("blk.0.ffn_up_exps.weight", (3, 8, 8))
    assert not is_stack("blk.0.attn_k.weight", (3, 8, 8))


def test_the_order_of_the_architecture_comes_first():
    positions = {"encoder.fc": 0, "encoder.h.2.w": 1, "encoder.h.10.w": 2, "decoder.fc": 3}
    names = ["decoder.fc", "decoder.fc.extra", "encoder.h.10.w", "encoder.fc", "encoder.h.2.w"]
    assert order(names, positions) == [
        "encoder.fc",
        "encoder.h.2.w",
        "encoder.h.10.w",
        "decoder.fc",
        "decoder.fc.extra",
    ]


def test_keras_names_say_what_torchs_say():
    assert kind_of("lstm.lstm_cell.recurrent_kernel", (512, 128)) == "rnn"
    assert kind_of("block.qkv.kernel", (384, 128)) == "qkv"
    assert kind_of("head.kernel", (10, 64)) == "head"
    assert order(["head.kernel", "dense.kernel"]) == ["dense.kernel", "head.kernel"]
