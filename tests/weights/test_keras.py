"""Files in the structure Keras writes, old and new; what each layer computes is the oracle."""

import json
import zipfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import h5py
import numpy as np
import pytest
import safetensors.numpy as st
import torch
from hypothesis import given, strategies
from numpy.typing import NDArray
from torch.nn import functional

import auditor
from auditor.errors import WeightsError
from auditor.weights.hdf5_values import ROOM
from auditor.weights.keras_config import CONFIG_LIMIT, parse
from auditor.weights.keras_layout import Kind, Layout, layout
from tests.weights.reading import (
    arrays,
    digests,
    in_memory,
    look,
    source_file,
    steady,
    the_failure,
)

Weights = Mapping[str, Mapping[str, NDArray[Any]]]  # layer -> name of a weight -> values
Groups = Mapping[str, tuple[str, Sequence[NDArray[Any]]]]  # group -> own name, variables


def put(group: h5py.Group, weights: Weights) -> None:
    """As Keras wrote the weights of layers before version 3."""
    group.attrs["layer_names"] = [name.encode() for name in weights]
    for layer, values in weights.items():
        part = group.create_group(layer)
        part.attrs["weight_names"] = [name.encode() for name in values]
        for name, value in values.items():
            part.create_dataset(name, data=value)


def old(weights: Weights, config: object = None, *, whole: bool = True) -> bytes:
    stream = BytesIO()
    with h5py.File(stream, "w") as file:
        file.attrs["keras_version"] = "2.4.0"
        if config is not None:
            file.attrs["model_config"] = json.dumps(config)
        put(file.create_group("model_weights") if whole else file, weights)
        if whole:
            file.create_dataset("optimizer_weights/Adam/dense/kernel/m:0", data=np.ones((3, 3)))
    return stream.getvalue()


def new(groups: Groups) -> bytes:
    """``model.weights.h5`` of Keras 3."""
    stream = BytesIO()
    with h5py.File(stream, "w") as file:
        for path, (name, values) in groups.items():
            part = file.create_group(f"{path}/vars")
            if name:
                part.attrs["name"] = name
            for number, value in enumerate(values):
                part.create_dataset(str(number), data=value)
    return stream.getvalue()


def zipped(weights: bytes, config: object = None, method: int = zipfile.ZIP_STORED) -> bytes:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.8.0"}')
        archive.writestr("config.json", json.dumps(config or {"class_name": "Functional"}))
        archive.writestr("model.weights.h5", weights)
    return stream.getvalue()


def functional_model(*layers: object) -> dict[str, object]:
    return {"class_name": "Functional", "config": {"name": "net", "layers": list(layers)}}


def layer(kind: str, name: str, **config: object) -> dict[str, object]:
    fields = {"name": name, **config}
    return {"module": "keras.layers", "class_name": kind, "config": fields}


@pytest.fixture
def net(rng):
    """A convolution and a matrix as PyTorch has them."""
    return {
        "conv.weight": rng.standard_normal((6, 3, 5, 4)).astype("f4"),
        "conv.bias": rng.standard_normal(6).astype("f4"),
        "fc.weight": rng.standard_normal((40, 30)).astype("f4"),
        "fc.bias": rng.standard_normal(40).astype("f4"),
    }


def as_keras(net: Mapping[str, NDArray[Any]]) -> tuple[NDArray[Any], ...]:
    """The same in Keras' order of axes: kernel and bias of each."""
    kernel = np.ascontiguousarray(net["conv.weight"].transpose(2, 3, 1, 0))
    return kernel, net["conv.bias"], np.ascontiguousarray(net["fc.weight"].T), net["fc.bias"]


def forms(net: Mapping[str, NDArray[Any]]) -> dict[str, bytes]:
    """The same weights in every way Keras has had to write them."""
    ck, cb, fk, fb = as_keras(net)
    config = functional_model(layer("Conv2D", "conv"), layer("Dense", "fc"))
    weights = {
        "conv": {"conv/kernel:0": ck, "conv/bias:0": cb},
        "fc": {"fc/kernel:0": fk, "fc/bias:0": fb},
    }
    paths = {
        "conv": {"net/conv/kernel": ck, "net/conv/bias": cb},
        "fc": {"net/fc/kernel": fk, "net/fc/bias": fb},
    }
    named: Groups = {"layers/conv2d": ("conv", (ck, cb)), "layers/dense": ("fc", (fk, fb))}
    bare: Groups = {path: ("", values) for path, (_, values) in named.items()}
    return {
        "whole.h5": old(weights, config),
        "alone.h5": old(weights, whole=False),
        "keras3.h5": old(paths, config),
        "net.weights.h5": new(named),
        "net.keras": zipped(new(named), config),
        "unnamed.keras": zipped(new(bare), config),
        "deflated.keras": zipped(new(named), config, zipfile.ZIP_DEFLATED),
    }


FORMS = ("whole.h5", "alone.h5", "keras3.h5", "net.weights.h5", "net.keras", "unnamed.keras")


@pytest.mark.parametrize("form", [*FORMS, "deflated.keras"])
def test_the_same_weights_have_the_names_and_digests_of_safetensors(form, net):
    expected = digests(in_memory("net.safetensors", st.save(net)))
    expected = {name.replace("weight", "kernel"): value for name, value in expected.items()}
    assert digests(in_memory(form, forms(net)[form])) == expected


@pytest.mark.wide
@pytest.mark.parametrize("form", ["whole.h5", "net.keras"])
def test_the_same_weights_have_the_same_metrics(form, net, tmp_path):
    st.save_file(net, tmp_path / "net.safetensors")
    (tmp_path / form).write_bytes(forms(net)[form])
    paths = (tmp_path / "net.safetensors", tmp_path / form)
    expected, found = (auditor.analyze(path, mp_fit=True, randomize=True) for path in paths)
    assert [(layer.name, layer.kind) for layer in found.layers] == [
        ("conv.kernel", "conv2d"),
        ("fc.kernel", "head"),
    ]
    assert found.complete
    assert repr([layer.measured for layer in found.layers]) == repr(
        [layer.measured for layer in expected.layers]
    )


def test_the_optimizer_is_no_part_of_the_model(net):
    inventory = look(in_memory("whole.h5", forms(net)["whole.h5"]))
    assert [(s.name, s.reason) for s in inventory.skipped] == [
        ("optimizer", "state of the training, not part of the model")
    ]
    groups: Groups = {
        "optimizer": ("adam", (np.ones((3, 3)),)),
        "layers/dense": ("d", (np.eye(2),)),
    }
    inventory = look(in_memory("m.keras", zipped(new(groups))))
    assert [t.name for t in inventory.tensors] == ["d.kernel"]
    assert [s.name for s in inventory.skipped] == ["optimizer"]


def read_as_torch(kind: str, own: str, values: NDArray[Any], **config: object) -> torch.Tensor:
    """A layer's weight as our reader hands it over."""
    data = old({"x": {f"x/{own}:0": values}}, functional_model(layer(kind, "x", **config)))
    (found,) = arrays(in_memory("m.h5", data)).values()
    return torch.from_numpy(found.copy())


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_a_convolution_computes_the_same(dims, rng):
    x, kernel = rng.standard_normal((2, *[6] * dims, 3)), rng.standard_normal((*[2] * dims, 3, 5))
    expected = np.zeros((2, *[5] * dims, 5))
    for at in np.ndindex(*[2] * dims):  # y[p, o] = sum over d, c of x[p + d, c] K[d, c, o]
        seen = x[(slice(None), *(slice(i, i + 5) for i in at))]
        expected += seen @ kernel[at]
    weight = read_as_torch(f"Conv{dims}D", "kernel", kernel)
    inputs = torch.from_numpy(np.moveaxis(x, -1, 1))
    found = getattr(functional, f"conv{dims}d")(inputs, weight)
    np.testing.assert_allclose(np.moveaxis(found.numpy(), 1, -1), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("kind", "own"), [("DepthwiseConv2D", "kernel"), ("SeparableConv2D", "depthwise_kernel")]
)
def test_a_depthwise_convolution_computes_the_same(kind, own, rng):
    x, kernel = rng.standard_normal((2, 6, 6, 3)), rng.standard_normal((2, 2, 3, 4))
    expected: NDArray[Any] = np.zeros((2, 5, 5, 3, 4))
    for i, j in np.ndindex(2, 2):  # y[p, c, m] = sum over d of x[p + d, c] K[d, c, m]
        expected += x[:, i : i + 5, j : j + 5, :, None] * kernel[i, j]
    weight = read_as_torch(kind, own, kernel)
    found = functional.conv2d(torch.from_numpy(x.transpose(0, 3, 1, 2)), weight, groups=3)
    assert weight.shape == (12, 1, 2, 2)
    expected = expected.reshape(2, 5, 5, 12).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


def test_a_transposed_convolution_computes_the_same(rng):
    x, kernel = rng.standard_normal((2, 4, 4, 3)), rng.standard_normal((2, 2, 5, 3))
    expected = np.zeros((2, 5, 5, 5))
    for i, j in np.ndindex(2, 2):  # y[p + d, o] = sum over c of x[p, c] K[d, o, c]
        expected[:, i : i + 4, j : j + 4] += x @ kernel[i, j].T
    weight = read_as_torch("Conv2DTranspose", "kernel", kernel)
    found = functional.conv_transpose2d(torch.from_numpy(x.transpose(0, 3, 1, 2)), weight)
    np.testing.assert_allclose(found.numpy(), expected.transpose(0, 3, 1, 2), atol=1e-12)


@pytest.mark.parametrize(
    ("kind", "own"),
    [("Dense", "kernel"), ("LSTM", "lstm_cell/kernel"), ("GRU", "gru_cell/recurrent_kernel")],
)
def test_a_matrix_computes_the_same(kind, own, rng):
    x, kernel = rng.standard_normal((2, 3)), rng.standard_normal((3, 8))
    weight = read_as_torch(kind, own, kernel)
    found = functional.linear(torch.from_numpy(x), weight)
    np.testing.assert_allclose(found.numpy(), x @ kernel, atol=1e-12)


@pytest.mark.parametrize(
    ("equation", "shape"),
    [("ab,bc->ac", (6, 4)), ("abc,cde->abde", (6, 2, 5)), ("...x,yx->...y", (5, 6))],
)
def test_an_einsum_computes_the_same(equation, shape, rng):
    kernel = rng.standard_normal(shape)
    x = rng.standard_normal((2, 6) if equation.startswith("ab,") else (2, 3, 6))
    expected = np.einsum(equation, x, kernel)
    weight = read_as_torch("EinsumDense", "kernel", kernel, equation=equation)
    found = functional.linear(torch.from_numpy(x), weight).numpy()
    np.testing.assert_allclose(found, expected.reshape(found.shape), atol=1e-12)


def test_a_stack_of_matrices_stays_one(rng):
    kernel = rng.standard_normal((4, 6, 5))  # experts, inputs, outputs
    weight = read_as_torch("EinsumDense", "kernel", kernel, equation="eab,ebc->eac")
    np.testing.assert_array_equal(weight.numpy(), kernel.transpose(0, 2, 1))


def test_attention_is_read_as_matrices(rng):
    into, out = rng.standard_normal((6, 2, 4)), rng.standard_normal((2, 4, 6))
    x, heads = rng.standard_normal((3, 6)), rng.standard_normal((3, 2, 4))
    name = "multi_head_attention_1"
    data = old(
        {
            name: {
                f"{name}/query/kernel:0": into,
                f"{name}/query/bias:0": rng.standard_normal((2, 4)),
                f"{name}/attention_output/kernel:0": out,
            }
        }
    )
    found = arrays(in_memory("m.h5", data))
    query, output = found[f"{name}.query.kernel"], found[f"{name}.attention_output.kernel"]
    np.testing.assert_allclose(x @ query.T, np.einsum("bd,dhk->bhk", x, into).reshape(3, 8))
    np.testing.assert_allclose(heads.reshape(3, 8) @ output.T, np.einsum("bhk,hkd->bd", heads, out))
    assert found[f"{name}.query.bias"].shape == (8,)


def test_axes_that_nobody_explains_are_not_guessed(rng):
    values = rng.standard_normal((2, 4, 6))
    data = new(
        {"layers/attention/query_dense": ("", (values,)), "layers/my_layer": ("", (values,))}
    )
    inventory = look(in_memory("m.weights.h5", data))
    assert inventory.tensors == ()
    assert {(s.name, s.shape, s.reason, s.read) for s in inventory.skipped} == {
        (name, (2, 4, 6), "unreadable: its file does not tell which of its 3 axes are rows", False)
        for name in ("attention.query_dense.kernel", "my_layer.vars.0")
    }


def test_an_lstm_of_keras_2_has_its_names_and_biases_are_vectors(rng):
    data = old(
        {
            "lstm_4": {
                "lstm_4/lstm_cell_4/kernel:0": rng.standard_normal((3, 8)),
                "lstm_4/lstm_cell_4/bias:0": rng.standard_normal(8),
            },
            "bidirectional": {
                "bidirectional/forward_gru/gru_cell/bias:0": rng.standard_normal((2, 12))
            },
        }
    )
    assert {t.name: t.shape for t in look(in_memory("m.h5", data)).tensors} == {
        "lstm_4.lstm_cell_4.kernel": (8, 3),
        "lstm_4.lstm_cell_4.bias": (8,),
        "bidirectional.forward_gru.gru_cell.bias": (24,),
    }


def test_names_of_transformers_come_out_as_it_has_them_in_pytorch():
    inner = "tf_bert_model/bert/encoder/layer_._0/attention/self/query/kernel:0"
    tables = "tf_bert_model/bert/embeddings/word_embeddings/weight:0"
    data = old(
        {"bert": {inner: np.eye(3), tables: np.ones((5, 3))}, "mlm___cls": {"a/b:0": np.eye(2)}},
        whole=False,
    )
    assert {t.name: t.shape for t in look(in_memory("tf_model.h5", data)).tensors} == {
        "bert.encoder.layer.0.attention.self.query.kernel": (3, 3),
        "bert.embeddings.word_embeddings.weight": (5, 3),
        "cls.a.b": (2, 2),
    }


def test_kernels_of_keras_1_come_in_the_same_order_of_axes(rng):
    kernel, name = rng.standard_normal((3, 3, 2, 8)), "block1_conv1"
    weights = {name: {f"{name}_W_1:0": kernel, f"{name}_b_1:0": rng.standard_normal(8)}}
    found = arrays(in_memory("vgg.h5", old(weights, whole=False)))
    assert set(found) == {f"{name}.{name}_W_1", f"{name}.{name}_b_1"}
    np.testing.assert_array_equal(found[f"{name}.{name}_W_1"], kernel.transpose(3, 2, 0, 1))


def test_weights_of_no_layer_are_named_by_themselves():
    data = old(
        {
            "dense": {"dense/kernel:0": np.eye(2)},
            "top_level_model_weights": {"scale:0": np.ones(())},
        }
    )
    assert {t.name for t in look(in_memory("m.h5", data)).tensors} == {"dense.kernel", "scale"}


def test_variables_of_keras_3_get_the_names_of_their_places(rng):
    m = rng.standard_normal((4, 4))
    v = rng.standard_normal(4)
    groups: Groups = {
        "layers/functional/layers/dense_1": ("", (m, v)),
        "layers/bidirectional/forward_layer/cell": ("lstm_cell", (m, m, v)),
        "layers/batch_normalization": ("bn", (v, v, v, v)),
        "layers/batch_normalization_1": ("plain", (v, v, v)),
        "layers/embedding": ("", (m,)),
        "layers/time_distributed/layer": ("", (m,)),
        "stem/conv1": ("conv2d_7", (rng.standard_normal((3, 3, 2, 4)),)),
        "odd": ("", (m,)),
        "_layer_checkpoint_dependencies\\dense_9": ("", (m,)),  # on Windows, TensorFlow 2.12
    }
    config = functional_model(
        {
            "class_name": "Functional",
            "config": {"name": "encoder", "layers": [layer("Dense", "up"), layer("Dense", "down")]},
        },
        layer("TimeDistributed", "steps", layer=layer("Dense", "inner")),
    )
    found = look(in_memory("m.keras", zipped(new(groups), config))).tensors
    assert {t.name for t in found} == {
        "encoder.down.kernel",
        "encoder.down.bias",
        "bidirectional.forward_layer.lstm_cell.kernel",
        "bidirectional.forward_layer.lstm_cell.recurrent_kernel",
        "bidirectional.forward_layer.lstm_cell.bias",
        *(f"bn.{name}" for name in ("gamma", "beta", "moving_mean", "moving_variance")),
        *(f"plain.vars.{i}" for i in range(3)),
        "embedding.embeddings",
        "steps.inner.kernel",
        "stem.conv2d_7.kernel",
        "odd.vars.0",
        "dense_9.kernel",
    }


def test_a_quantised_layer_has_no_names_for_its_places():
    groups: Groups = {"layers/dense": ("d", (np.ones((4, 4), "i1"), np.ones(4, "f4")))}
    found = look(in_memory("m.keras", zipped(new(groups)))).tensors
    assert {t.name for t in found} == {"d.vars.0", "d.vars.1"}


def test_names_that_clash_are_those_of_the_file():
    groups: Groups = {
        "layers/dense": ("same", (np.eye(2),)),
        "layers/dense_1": ("same", (np.eye(3),)),
    }
    found = look(in_memory("m.keras", zipped(new(groups)))).tensors
    assert {t.name for t in found} == {"layers/dense/vars/0", "layers/dense_1/vars/0"}


LAMBDA = layer("Lambda", "wipe", function=["4wEAAAAAAAAA", None, None], function_type="lambda")
LAMBDA_3 = layer(
    "Lambda", "wipe", function={"class_name": "__lambda__", "config": {"code": "4wEAAAAAAAAA"}}
)
SYSTEM = {"module": "os", "class_name": "function", "config": "system"}
FETCH = {"module": "keras.utils", "class_name": "function", "config": "get_file"}
MINE = {"module": "shop.layers", "class_name": "Basket", "config": {"name": "b"}}
CODE: dict[str, tuple[object, list[tuple[str, bool]]]] = {
    "nothing": (layer("Dense", "d", activation="relu"), []),
    "named function": (layer("Lambda", "l", function="relu6", function_type="function"), []),
    "byte code": (LAMBDA, [("marshalled Python code (Lambda layer 'wipe')", True)]),
    "byte code of Keras 3": (LAMBDA_3, [("marshalled Python code (Lambda layer 'wipe')", True)]),
    "another module": (layer("Dense", "d", activation=SYSTEM), [("os.system", True)]),
    "a fetch of files": (layer("Dense", "d", activation=FETCH), [("keras.utils.get_file", True)]),
    "a pickle": (layer("TorchModuleWrapper", "t"), [("keras.layers.TorchModuleWrapper", True)]),
    "a class of its own": (MINE, [("shop.layers.Basket", False)]),
}


@pytest.mark.parametrize("what", CODE)
@pytest.mark.parametrize("form", ["m.h5", "m.keras"])
def test_code_in_a_configuration_is_reported_and_the_weights_are_read(what, form):
    part, expected = CODE[what]
    config = functional_model(part)
    data = {
        "m.h5": old({"d": {"d/kernel:0": np.eye(2)}}, config),
        "m.keras": zipped(new({"layers/dense": ("d", (np.eye(2),))}), config),
    }
    inventory = look(in_memory(form, data[form]))
    assert [t.name for t in inventory.tensors] == ["d.kernel"]
    assert [(g.file, g.name, g.dangerous) for g in inventory.reading.globals] == [
        (form, name, dangerous) for name, dangerous in expected
    ]


def test_code_is_reported_also_where_the_weights_cannot_be_read():
    inventory = look(in_memory("m.keras", zipped(b"no HDF5", functional_model(LAMBDA))))
    assert [g.dangerous for g in inventory.reading.globals] == [True]
    assert [f.dangerous for f in inventory.reading.failures] == [True]


JSON = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | strategies.text(max_size=5),
    lambda inner: (
        strategies.lists(inner, max_size=3)
        | strategies.dictionaries(
            strategies.sampled_from(
                ["class_name", "config", "layers", "name", "layer", "function", "module"]
            ),
            inner | strategies.just("Lambda"),
            max_size=5,
        )
    ),
    max_leaves=20,
)


@steady
@given(JSON)
def test_any_configuration_is_understood_or_ignored(config):
    assert parse(json.dumps(config), "m.keras").kinds is not None


@pytest.mark.parametrize(
    "text", ["{nope}", "[" * 100_000, '{"config": ' * 900 + "{}" + "}" * 900, ""]
)
def test_a_configuration_that_is_none_says_nothing(text):
    assert parse(text, "m.keras").kinds == {}


def test_a_configuration_longer_than_any_is_refused():
    with pytest.raises(WeightsError, match="expected at most"):
        parse(" " * (CONFIG_LIMIT + 1), "m.keras")
    data = old({"d": {"d/kernel:0": np.eye(2)}}, " " * CONFIG_LIMIT)
    assert "attribute model_config has more than" in the_failure(in_memory("m.h5", data)).reason


@steady
@given(
    strategies.sampled_from(
        ["kernel", "recurrent_kernel", "depthwise_kernel", "bias", "gamma", "0"]
    ),
    strategies.lists(strategies.integers(0, 4), max_size=6).map(tuple),
    strategies.sampled_from(["", "query", "attention_output", "dense"]),
    strategies.sampled_from(
        ["", "dense", "depthwise_conv2d", "einsum_dense", "multi_head_attention"]
    ),
    strategies.sampled_from(["", "ab,bc->ac", "abc,cde->abde", "a,a->a", "nonsense"]),
)
def test_a_layout_loses_no_value(weight, shape, name, kind, equation):
    found = layout(weight, shape, name, Kind(kind, equation), Kind("multi_head_attention"))
    if isinstance(found, Layout):
        values = np.arange(np.prod(shape, dtype=int)).reshape(shape)
        moved = values.transpose(found.axes).reshape(found.shape)
        assert sorted(moved.ravel()) == sorted(values.ravel())


def rezipped(members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def reason(data: bytes) -> str:
    return the_failure(in_memory("model.keras", data)).reason


def test_archives_that_lie_are_refused():
    deflated = zipfile.ZIP_DEFLATED
    good = new({"layers/dense": ("d", (np.eye(2),))})
    assert "has no model.weights.h5" in reason(rezipped({"config.json": b"{}"}))
    assert "has no model.weights.h5" in reason(rezipped({"other/model.weights.h5": good}))
    bomb = rezipped({"model.weights.h5": bytes(ROOM + 1)}, deflated)
    assert "made to fill memory" in reason(bomb)
    assert "config.json has" in reason(
        rezipped({"config.json": bytes(CONFIG_LIMIT + 1), "model.weights.h5": good}, deflated)
    )
    lying = rezipped({"model.weights.h5": good}, deflated)
    size = len(good).to_bytes(4, "little")
    place = lying.rindex(size)  # in the directory, which is behind the members
    shorter = lying[:place] + (100).to_bytes(4, "little") + lying[place + 4 :]
    assert "states 100 bytes and inflates to others" in reason(shorter)


def test_a_large_deflated_member_goes_through_a_file_that_is_closed_again(monkeypatch, rng):
    monkeypatch.setattr("auditor.weights.keras.IN_MEMORY", 1000)
    values = rng.standard_normal((40, 40))
    data = zipped(new({"layers/dense": ("d", (values,))}), method=zipfile.ZIP_DEFLATED)
    np.testing.assert_array_equal(arrays(in_memory("m.keras", data))["d.kernel"], values.T)


def test_cut_off_anywhere_an_archive_is_a_failure(net):
    whole = forms(net)["net.keras"]
    for cut in range(1, len(whole), 499):
        assert reason(whole[:cut])


PUBLISHED = {
    "dtln/original/DTLN_norm_40h.h5": "dtln/dtln_norm_40h",
    "mlperf_tiny/original/ad_autoencoder.h5": "mlperf_tiny/ad_autoencoder",
    "mlperf_tiny/original/ic_resnet8.h5": "mlperf_tiny/ic_resnet8",
}


@pytest.mark.data
@pytest.mark.parametrize("original", PUBLISHED)
def test_a_published_file_has_the_values_of_its_conversion(data, original):
    root = data / "weights"
    expected = digests(source_file(root / f"{PUBLISHED[original]}.safetensors"))

    def folded(name: str) -> str:
        first, *rest = name.removesuffix(":0").split("/")
        return ".".join(rest if rest[0] == first else [first, *rest])

    found = digests(source_file(root / original))
    assert found == {folded(name): value for name, value in expected.items()}
    assert len(found) > 20
