"""What llama.cpp calls the tensors that transformers calls otherwise.

Only of models whose tensors it takes over whole: Llama, Mistral, Mixtral without its experts,
Qwen 2 and 3, Gemma, Phi, GPT-2 and those built like them. Where it puts several tensors
together, or the rows of query, key and value in another order than that of heads (BLOOM,
GPT-NeoX, Falcon), there is no name.

References
----------
``tensor_mapping.py`` of the gguf package, https://github.com/ggml-org/llama.cpp
"""

import re

OWN = re.compile(r"(?:blk\.[0-9]+\.[a-z_]+|token_embd|position_embd|output)\.weight")
IN_BLOCK = re.compile(r"(?:layers|h)\.([0-9]+)\.([a-z_0-9.]+)\.weight")
IN_FRONT = re.compile(r"(?:(?:base_model|model|transformer|language_model|module)\.)*")
PARTS = {  # of a block
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.dense": "attn_output",
    "self_attn.qkv_proj": "attn_qkv",
    "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.gate_up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "mlp.fc1": "ffn_up",
    "mlp.fc2": "ffn_down",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
    "mlp.gate": "ffn_gate_inp",
    "block_sparse_moe.gate": "ffn_gate_inp",
    "mlp.shared_expert_gate": "ffn_gate_inp_shexp",
    "mlp.shared_expert.gate_proj": "ffn_gate_shexp",
    "mlp.shared_expert.up_proj": "ffn_up_shexp",
    "mlp.shared_expert.down_proj": "ffn_down_shexp",
}
AROUND = {  # the blocks
    "embed_tokens.weight": "token_embd.weight",
    "wte.weight": "token_embd.weight",
    "wpe.weight": "position_embd.weight",
    "lm_head.weight": "output.weight",
}
TURNING = re.compile(r"blk\.[0-9]+\.attn_(q|k)\.weight")  # by rotary positions


def ggml_name(name: str) -> str:
    """What llama.cpp calls a tensor; empty where that is not known.

    Examples
    --------
    >>> ggml_name("model.layers.7.self_attn.q_proj.weight"), ggml_name("blk.7.attn_q.weight")
    ('blk.7.attn_q.weight', 'blk.7.attn_q.weight')
    >>> ggml_name("layer1.0.conv1.weight")
    ''
    """
    if OWN.fullmatch(name):
        return name
    plain = IN_FRONT.sub("", name, count=1)
    found = IN_BLOCK.fullmatch(plain)
    if found is None:
        return AROUND.get(plain, "")
    part = PARTS.get(found[2])
    return f"blk.{found[1]}.{part}.weight" if part else ""


def turns(name: str) -> str:
    """Whether a tensor called so by llama.cpp is a query, ``q``, or a key, ``k``; else nothing.

    Of many models it stores the rows of both in another order than transformers does.
    """
    found = TURNING.fullmatch(name)
    return found[1] if found else ""
