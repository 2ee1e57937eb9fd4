"""A config.json is hostile text: what fits is taken, the rest is not there."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.architecture.configs import (
    Adapter,
    adapter,
    heads,
    model_type,
    parse,
    quantisation,
)
from auditor.errors import WeightsError
from auditor.spectral.fused import Heads
from tests.spectral import oracles

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
KEYS = ("model_type", "hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim")


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({"n_head": 4, "n_embd": 32}, Heads(4, 4, 8)),
        ({"num_attention_heads": 4, "hidden_size": 32, "num_key_value_heads": 2}, Heads(4, 2, 8)),
        ({"num_attention_heads": 4, "hidden_size": 32, "head_dim": 16}, Heads(4, 4, 16)),
        (
            {"model_type": "gpt_neox", "num_attention_heads": 4, "hidden_size": 32},
            Heads(4, 4, 8, "turns"),
        ),
        (
            {"model_type": "falcon", "num_attention_heads": 4, "hidden_size": 32},
            Heads(4, 1, 8, "apart"),
        ),
        (
            {
                "model_type": "falcon",
                "num_attention_heads": 4,
                "hidden_size": 32,
                "new_decoder_architecture": True,
                "num_kv_heads": 2,
            },
            Heads(4, 2, 8, "turns"),
        ),
        (
            {"model_type": "gpt_bigcode", "n_head": 4, "n_embd": 32, "multi_query": False},
            Heads(4, 4, 8, "turns"),
        ),
        (
            {"model_type": "codegen", "n_head": 4, "n_embd": 32},
            Heads(4, 4, 8, "unknown"),
        ),
    ],
)
def test_heads_are_found_under_the_names_that_models_use(config, wanted):
    assert heads(config) == (wanted,)


def test_the_parts_of_a_model_have_heads_of_their_own():
    config = {
        "model_type": "both",
        "text_config": {"hidden_size": 32, "num_attention_heads": 4, "model_type": "bloom"},
        "vision_config": {"hidden_size": 24, "num_attention_heads": 2},
    }
    assert heads(config) == (Heads(4, 4, 8, "turns"), Heads(2, 2, 12))


@pytest.mark.parametrize("bad", [0, -4, 2.0, "4", None, True, [4], 2**40])
def test_a_number_of_heads_that_is_none_is_not_there(bad):
    assert heads({"num_attention_heads": bad, "hidden_size": 32}) == ()


@oracles.steady
@given(st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), json_values))
def test_any_configuration_can_be_asked(config):
    found = parse(json.dumps(config).encode())
    assert all(one.queries > 0 and one.keys > 0 and one.size > 0 for one in heads(found))
    assert isinstance(model_type(found), str)
    assert isinstance(adapter(found), Adapter)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is not valid JSON"),
        (b"\xff\xfe{}", "is not valid JSON"),
        (b"[1]", "holds no JSON object"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "nested more than 32 deep"),
        (b"[" * 100_000, "is not valid JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "is not valid JSON"),
    ],
)
def test_what_is_no_configuration_is_said(data, problem):
    with pytest.raises(WeightsError, match=problem):
        parse(data)


def test_numbers_that_json_does_not_have_are_read_as_python_writes_them():
    assert parse(b'{"time_step_limit": [0.0, Infinity]}')


# --- adapters -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "alpha", "scale"),
    [
        ({}, None, 1.0),
        ({}, 16.0, 2.0),
        ({"lora_alpha": 4}, None, 0.5),
        ({"lora_alpha": 4}, 16.0, 2.0),  # what is stored beside the factors counts first
        ({"lora_alpha": 16, "use_rslora": True}, None, 16 / 8**0.5),
        ({"lora_alpha": 4, "alpha_pattern": {"attn.q_proj": 32}}, None, 4.0),
        ({"lora_alpha": 4, "alpha_pattern": {"n.q_proj": 32, "k_proj": 64}}, None, 0.5),
        ({"lora_alpha": float("nan")}, None, 1.0),
        ({"lora_alpha": True, "alpha_pattern": ["q_proj"]}, None, 1.0),
    ],
)
def test_the_scale_of_factors_is_alpha_over_the_rank(config, alpha, scale):
    found = adapter(config).scale("h.0.attn.q_proj", 8, alpha)
    assert found == pytest.approx(scale, rel=1e-15)


@pytest.mark.parametrize(
    ("start", "is_addable"),
    [(True, True), ("gaussian", True), ("pissa_niter_4", False), ("OLoRA", False), (3, True)],
)
def test_an_adapter_that_alters_its_base_is_not_added_to_it(start, is_addable):
    assert adapter({"init_lora_weights": start}).is_addable is is_addable


# --- quantisation -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({"quantization_config": {"quant_method": "gptq"}}, {"quant_method": "gptq"}),
        ({"compression_config": {"format": "x"}}, {"format": "x"}),
        ({"quantization_config": "gptq"}, {}),
        ({}, {}),
    ],
)
def test_what_is_said_of_quantisation(config, wanted):
    assert quantisation(config) == wanted
