"""PyTorch writes, our readers read: every way of saving gives what state_dict() holds."""

import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import safetensors.torch as st
import torch
from torch import nn

from auditor.weights import decode, opened
from tests.weights.reading import Net, arrays, digests, in_memory, look, net, saved, the_failure

pytestmark = [  # what PyTorch says about its own formats, all of which are still around
    pytest.mark.filterwarnings("ignore:No complete tensor found:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning"),
    pytest.mark.filterwarnings("ignore:TypedStorage is deprecated:UserWarning"),
]

FLOATS = ["float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"]
OTHERS = ["int8", "uint8", "int16", "int32", "int64", "bool", "uint16", "uint32", "complex64"]


def exported(model: nn.Module) -> bytes:
    stream = BytesIO()
    program = torch.export.export(model, (torch.randn(2, 8),))
    torch.export.save(program, stream)
    return stream.getvalue()


def scripted(model: nn.Module) -> bytes:
    stream = BytesIO()
    torch.jit.save(torch.jit.trace(model, torch.ones(2, 8)), stream)
    return stream.getvalue()


def legacy(value: object, **options: Any) -> bytes:
    return saved(value, _use_new_zipfile_serialization=False, **options)


WAYS: dict[str, Callable[[nn.Module], bytes]] = {
    "state dict": lambda model: saved(model.state_dict()),
    "module": saved,
    "state dict, old format": lambda model: legacy(model.state_dict()),
    "module, old format": legacy,
    "old format, protocol 3": lambda model: legacy(model, pickle_protocol=3),
    "old format, protocol 5": lambda model: legacy(model, pickle_protocol=5),
    "protocol 4": lambda model: saved(model, pickle_protocol=4),
    "protocol 5": lambda model: saved(model, pickle_protocol=5),
    "export": exported,
    "data parallel": lambda model: saved(nn.DataParallel(model)),
    "data parallel state dict": lambda model: saved(nn.DataParallel(model).state_dict()),
    "checkpoint": lambda model: saved({"epoch": 3, "state_dict": model.state_dict()}),
    "checkpoint with a module": lambda model: saved({"model": model, "args": {"lr": 0.1}}),
    "plain dict": lambda model: saved(dict(model.state_dict())),
}


@pytest.mark.parametrize("way", WAYS)
def test_names_and_values_are_those_of_the_state_dict(way):
    model = net()
    expected = {name: value.numpy() for name, value in model.state_dict().items()}
    del expected["head.weight"]  # tied, in the account below
    file = in_memory("model.pt", WAYS[way](model))
    found = arrays(file)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value)
    assert [(s.name, s.reason) for s in look(file).skipped] == [
        ("head.weight", "tied to emb.weight")
    ]


def test_the_same_weights_have_the_same_digests_in_every_format():
    model = net()
    plain = {k: v.contiguous() for k, v in model.state_dict().items() if k != "head.weight"}
    expected = digests(in_memory("model.safetensors", st.save(plain)))
    for way, write in WAYS.items():
        assert digests(in_memory("model.bin", write(model))) == expected, way


@pytest.mark.parametrize("way", [saved, legacy])
@pytest.mark.parametrize("dtype", [*FLOATS, *OTHERS])
def test_every_element_type_keeps_its_bytes(dtype, way, rng):
    values = torch.from_numpy(rng.integers(0, 2, (4, 6))).to(getattr(torch, dtype))
    file = in_memory("model.pt", way({"w": values}))
    (tensor,) = look(file).tensors
    assert tensor.dtype == dtype
    expected = digests(in_memory("m.safetensors", st.save({"w": values})))
    assert digests(file) == expected


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_an_exported_model_keeps_its_element_type(dtype):
    layer = nn.Linear(8, 3).to(getattr(torch, dtype))
    program = torch.export.export(layer, (torch.ones(2, 8, dtype=getattr(torch, dtype)),))
    stream = BytesIO()
    torch.export.save(program, stream)
    plain = {name: value.detach() for name, value in layer.state_dict().items()}
    assert digests(in_memory("model.pt2", stream.getvalue())) == digests(
        in_memory("model.safetensors", st.save(plain))
    )


def test_torchscript_has_the_weights_and_every_buffer():
    model = net()
    found = arrays(in_memory("model.pt", scripted(model)))
    expected = {**model.state_dict(), "transient": model.transient}
    del expected["head.weight"]
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], expected[name].numpy()) for name in found)


VIEWS = {
    "transposed": lambda w: w.t(),
    "sliced": lambda w: w[1:4, 2::3],
    "one row": lambda w: w[2],
    "permuted": lambda w: w.reshape(2, 3, 10).permute(2, 0, 1),
    "channels last": lambda w: w.reshape(1, 3, 4, 5).to(memory_format=torch.channels_last),
    "expanded": lambda w: w[:1].expand(5, -1),
    "empty": lambda w: w[:0],
    "scalar": lambda w: w[2, 3],
}


@pytest.mark.parametrize("way", [saved, legacy])
@pytest.mark.parametrize("view", VIEWS)
def test_views_are_gathered_into_plain_order(view, way):
    expected = VIEWS[view](torch.arange(60.0).reshape(6, 10))
    found = arrays(in_memory("model.pt", way({"w": expected})))["w"]
    np.testing.assert_array_equal(found, expected.numpy())


def test_views_of_one_storage_that_differ_are_not_tied():
    w = torch.arange(12.0).reshape(3, 4)
    file = in_memory("m.pt", saved({"a": w, "b": w.t(), "c": w[1:], "d": w, "e": w.view(4, 3)}))
    assert [tensor.name for tensor in look(file).tensors] == ["a", "b", "c", "e"]
    assert [(skip.name, skip.reason) for skip in look(file).skipped] == [("d", "tied to a")]


@pytest.mark.parametrize(
    "layer",
    [
        nn.LSTM(3, 4, num_layers=2, bidirectional=True),
        nn.TransformerEncoderLayer(8, 2, batch_first=True),
        nn.Sequential(OrderedDict(one=nn.Conv2d(1, 2, 3), two=nn.ModuleDict({"a": nn.PReLU()}))),
        nn.ParameterDict({"x": nn.Parameter(torch.ones(2, 2))}),
        nn.ParameterList([torch.ones(2), torch.zeros(3)]),
        nn.utils.parametrizations.weight_norm,  # its state dict only
    ],
    ids=lambda layer: getattr(layer, "__name__", type(layer).__name__),
)
def test_modules_of_many_kinds_have_the_names_of_their_state_dict(layer):
    if not isinstance(layer, nn.Module):
        layer = layer(nn.Linear(3, 3))
        data = saved(layer.state_dict())
    else:
        data = saved(layer)
    expected = {name: tuple(value.shape) for name, value in layer.state_dict().items()}
    assert {t.name: t.shape for t in look(in_memory("m.pt", data)).tensors} == expected


def test_a_shared_module_is_read_once_and_named_twice():
    shared = nn.Linear(2, 2)
    inventory = look(in_memory("m.pt", saved(nn.Sequential(shared, nn.ReLU(), shared))))
    assert [tensor.name for tensor in inventory.tensors] == ["0.weight", "0.bias"]
    assert [s.reason for s in inventory.skipped] == ["tied to 0.weight", "tied to 0.bias"]


def test_what_stands_beside_the_model_is_named_not_read():
    model = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    value = {
        "model": model.state_dict(),
        "ema": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": 3,
    }
    inventory = look(in_memory("m.pt", saved(value)))
    assert [tensor.name for tensor in inventory.tensors] == ["weight", "bias"]
    assert {skip.name: skip.reason for skip in inventory.skipped} == {
        "ema": "stands beside 'model' in the checkpoint, not part of the model",
        "optimizer": "stands beside 'model' in the checkpoint, not part of the model",
    }


def small() -> nn.Linear:
    torch.manual_seed(3)
    return nn.Linear(3, 2)


def stepped(model: nn.Module) -> dict[str, Any]:
    """State of an optimizer that has two tensors of every weight's shape."""
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return optimizer.state_dict()


STATE, TRAINED = small().state_dict(), stepped(small())
BESIDE, TRAINING, EMA = "stands beside", "state of the training", "a moving average"
CHECKPOINTS: dict[str, tuple[object, dict[str, str]]] = {  # what is saved; what is left out, why
    "Lightning": (
        {
            "state_dict": STATE,
            "optimizer_states": [TRAINED],
            "lr_schedulers": [{"last_epoch": 3}],
            "callbacks": {"EMA": {"ema_state_dict": STATE}},
            "loops": {},
            "hyper_parameters": {"lr": 0.1},
        },
        {"optimizer_states": BESIDE, "callbacks": BESIDE},
    ),
    "a state dict inside a model": ({"model": {"state_dict": STATE}, "epoch": 1}, {}),
    "model_state": (
        {"model_state": STATE, "optimizer_state": TRAINED},
        {"optimizer_state": BESIDE},
    ),
    "an optimizer by any name": ({**STATE, "adam": TRAINED}, {"adam": TRAINING}),
    "random generators": ({**STATE, "rng_states": [torch.ones(9)]}, {"rng_states": TRAINING}),
    "only the averaged module": ({"model": None, "ema": small()}, {}),
    "averages beside": ({"params": STATE, "params_ema": STATE}, {"params_ema": BESIDE}),
    "averages in between": (
        {**STATE, "ema_model.weight": torch.ones(2, 3), "ema_model.bias": torch.ones(2)},
        {"ema_model.weight": EMA, "ema_model.bias": EMA},
    ),
    "averages without dots": (
        {**{f"model.{k}": v for k, v in STATE.items()}, "model_ema.weight": torch.ones(2, 3)},
        {"model_ema.weight": EMA},
    ),
    "an averaged model": (torch.optim.swa_utils.AveragedModel(small()).state_dict(), {}),
    "compiled": ({f"_orig_mod.{k}": v for k, v in STATE.items()}, {}),
    "compiled in parallel": ({f"module._orig_mod.{k}": v for k, v in STATE.items()}, {}),
    "recomputed": ({f"_checkpoint_wrapped_module.{k}": v for k, v in STATE.items()}, {}),
    "DeepSpeed, gathered": ({"module": STATE, "ds_version": "0.16", "optimizer": None}, {}),
}


@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_of_a_checkpoint_the_model_alone_becomes_layers(kind):
    value, left_out = CHECKPOINTS[kind]
    inventory = look(in_memory("model.ckpt", saved(value)))
    names = [tensor.name.removeprefix("model.") for tensor in inventory.tensors]
    assert names == ["weight", "bias"]
    assert not inventory.reading.failures
    assert inventory.skipped == tuple(skip for skip in inventory.skipped if not skip.read)
    reasons = {skip.name: skip.reason for skip in inventory.skipped}
    assert reasons.keys() == left_out.keys()
    assert all(reasons[name].startswith(left_out[name]) for name in reasons)


def test_names_that_would_clash_without_their_wrapper_keep_it():
    value = {**STATE, **{f"_orig_mod.{name}": tensor for name, tensor in STATE.items()}}
    inventory = look(in_memory("m.pt", saved(value)))
    assert {skip.name for skip in inventory.skipped} == {"_orig_mod.weight", "_orig_mod.bias"}


def test_a_module_called_like_an_optimizer_is_a_part_of_the_model():
    model = nn.ModuleDict({"optimizer": nn.Linear(2, 2)})
    names = [tensor.name for tensor in look(in_memory("m.pt", saved(model))).tensors]
    assert names == ["optimizer.weight", "optimizer.bias"]


SHARES = {
    "ZeRO-3": {"module": {"w": torch.empty(0)}, "ds_config": {}, "ds_version": "0.16"},
    "ZeRO optimizer": {"optimizer_state_dict": {"zero_stage": 2, "flat": torch.ones(9)}},
    "FSDP": {"_fsdp_wrapped_module._flat_param": torch.ones(9)},
    "an optimizer": TRAINED,
}
SENTENCES = {
    "ZeRO-3": "zero_to_fp32.py",
    "ZeRO optimizer": "zero_to_fp32.py",
    "FSDP": "gather a full state dict",
    "an optimizer": "holds no weights",
}


@pytest.mark.parametrize("share", SHARES)
def test_what_is_no_whole_model_says_where_the_whole_one_is(share):
    assert SENTENCES[share] in the_failure(in_memory("m.pt", saved(SHARES[share]))).reason


def test_parts_of_a_model_in_one_file_are_told_apart_by_their_keys():
    value = {"generator": nn.Linear(2, 2).state_dict(), "critic": nn.Linear(2, 1)}
    names = [tensor.name for tensor in look(in_memory("m.pt", saved(value))).tensors]
    assert names == ["generator.weight", "generator.bias", "critic.weight", "critic.bias"]


def test_a_lone_tensor_is_read():
    assert list(arrays(in_memory("m.pt", saved(torch.ones(2, 2))))) == ["tensor"]


def test_sparse_and_quantised_tensors_are_skipped_with_a_reason():
    quantised = torch.quantize_per_tensor(torch.ones(2, 2), 0.1, 0, torch.qint8)
    value = {"s": torch.eye(2).to_sparse(), "q": quantised, "w": torch.ones(2, 2)}
    inventory = look(in_memory("m.pt", saved(value)))
    assert [tensor.name for tensor in inventory.tensors] == ["w"]
    assert {skip.name: skip.read for skip in inventory.skipped} == {"s": False, "q": False}
    assert all(skip.reason.startswith("unreadable: ") for skip in inventory.skipped)


def test_a_file_without_tensors_is_a_failure():
    assert "holds no tensor" in the_failure(in_memory("m.pt", saved({"epoch": 3}))).reason


def test_tensors_are_read_from_many_threads_at_once():
    values = {f"w{i}": torch.full((50, 50), float(i)) for i in range(40)}
    with (
        opened([in_memory("m.pt", saved(values))], "a test") as inventory,
        ThreadPoolExecutor(8) as pool,
    ):
        for tensor, data in zip(
            inventory.tensors, pool.map(lambda t: t.read(), inventory.tensors), strict=True
        ):
            value = decode(tensor.dtype, tensor.shape, data)
            assert (value == float(tensor.name[1:])).all()


def test_reading_a_file_does_not_import_torch():
    code = (
        "import sys, auditor.weights; print([m for m in ('torch', 'mlflow') if m in sys.modules])"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_model_of_these_tests_has_what_they_are_about():
    model = Net()
    assert not model.strided.is_contiguous()  # type: ignore[operator]
    assert "transient" not in model.state_dict()
    assert model.head.weight is model.emb.weight
