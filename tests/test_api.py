"""``auditor.analyze``: anything with weights in, the layer table out, and nothing changed."""

import csv
import json
import re

import numpy as np
import pytest
import torch

import auditor
from auditor.errors import UsageError
from tests.models import weights, write

RESNET = "weights/resnet_cifar10/resnet20.safetensors"
GOLDEN = "golden/resnet_cifar10/resnet20__default"


def net(dtype=torch.float32):
    """Two layers, an embedding that the head shares, and a convolution."""
    torch.manual_seed(0)
    module = torch.nn.ModuleDict(
        {
            "embedding": torch.nn.Embedding(40, 24),
            "conv": torch.nn.Conv2d(12, 16, 3),
            "fc": torch.nn.Linear(24, 48),
            "head": torch.nn.Linear(24, 40),
        }
    )
    module["head"].weight = module["embedding"].weight
    return module.to(dtype)


def numbers(analysis):
    return {layer.name: layer.measured.metrics for layer in analysis.layers}


def test_a_module_its_state_dict_its_arrays_and_its_file_measure_alike(tmp_path):
    module = torch.nn.Sequential(torch.nn.Linear(30, 40), torch.nn.Linear(40, 20))
    state = module.state_dict()
    torch.save(state, tmp_path / "model.pt")
    expected = numbers(auditor.analyze(module))
    assert list(expected) == ["0.weight", "1.weight"]
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    for same in (state, arrays, tmp_path / "model.pt", str(tmp_path)):
        assert numbers(auditor.analyze(same)) == expected


@pytest.mark.data
def test_details_have_the_reference_tools_columns_and_its_rows(data):
    with (data / f"{GOLDEN}.csv").open(encoding="utf-8") as lines:
        golden = list(csv.DictReader(lines))
    details = auditor.analyze(data / RESNET, convention="weightwatcher").details
    assert set(golden[0]) - {"warning"} <= set(details.columns)
    assert details["longname"].tolist() == [row["longname"] for row in golden]
    for column in ("name", "layer_type", "status"):
        assert details[column].tolist() == [row[column] for row in golden], column
    for column in ("M", "N", "Q", "num_evals", "rf", "alpha", "D", "stable_rank", "xmin"):
        theirs = [float(row[column]) for row in golden]
        assert details[column].tolist() == pytest.approx(theirs, rel=1e-6), column


@pytest.mark.data
def test_the_summary_is_the_reference_tools(data):
    golden = json.loads((data / f"{GOLDEN}.json").read_text(encoding="utf-8"))["summary"]
    ours = auditor.analyze(data / RESNET, convention="weightwatcher").summary()
    assert ours == pytest.approx(golden, abs=1e-6)


def test_our_own_summary_is_mean_median_and_percentiles_of_what_is_defined():
    analysis = auditor.analyze({**weights(), "few.weight": np.eye(4, dtype=np.float32)})
    alphas = [value for value in analysis.details["alpha"] if not np.isnan(value)]
    assert 0 < len(alphas) < len(analysis.layers)  # too few eigenvalues leave α undefined
    found = analysis.summary()["alpha"]
    assert found["mean"] == pytest.approx(np.mean(alphas))
    assert found["median"] == pytest.approx(np.median(alphas))
    assert (found["p5"], found["p95"]) == pytest.approx(tuple(np.percentile(alphas, (5, 95))))
    assert found["n"] == len(alphas)


def test_a_weight_that_two_layers_share_is_measured_once():
    analysis = auditor.analyze(net())
    assert [layer.name for layer in analysis.layers] == [
        "embedding.weight",
        "conv.weight",
        "fc.weight",
    ]
    tied = {skip.name: skip.reason for skip in analysis.skipped}
    assert tied["head.weight"] == "tied to embedding.weight"
    assert analysis.complete


def test_a_bfloat16_module_measures_as_its_values_do_in_float32():
    module = net(torch.bfloat16)
    as_float = {name: tensor.float() for name, tensor in module.state_dict().items()}
    as_float.pop("head.weight")  # a copy of the embedding by now
    found, expected = numbers(auditor.analyze(module)), numbers(auditor.analyze(as_float))
    assert found.keys() == expected.keys()
    for name, metrics in expected.items():
        assert found[name] == pytest.approx(metrics, rel=1e-9, nan_ok=True)


def test_the_callers_model_stays_as_it_was():
    module = net().train()
    module["fc"].weight.grad = torch.ones_like(module["fc"].weight)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    auditor.analyze(module, intervals=True, randomize=True, mp_fit=True)
    assert module.training
    assert all(parameter.requires_grad for parameter in module.parameters())
    assert torch.equal(module["fc"].weight.grad, torch.ones(48, 24))
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert module["head"].weight is module["embedding"].weight


def test_views_and_byte_orders_are_read_by_value(rng):
    matrix = rng.normal(size=(30, 20))
    expected = numbers(auditor.analyze({"w": matrix}))
    padded = np.zeros((60, 40))
    padded[::2, ::2] = matrix
    views = (padded[::2, ::2], np.asfortranarray(matrix), matrix.astype(">f8"))
    for view in (*views, torch.from_numpy(matrix.T.copy()).T):
        assert numbers(auditor.analyze({"w": view})) == expected


def test_what_is_no_plain_array_is_skipped_and_the_analysis_not_complete(rng):
    dense = torch.from_numpy(rng.normal(size=(30, 20)))
    analysis = auditor.analyze({"kept": dense, "sparse": dense.to_sparse(), "text": "hello"})
    assert [layer.name for layer in analysis.layers] == ["kept"]
    reasons = {skip.name: skip.reason for skip in analysis.skipped}
    assert "torch.sparse_coo" in reasons["sparse"]
    assert "a str is no plain array" in reasons["text"]
    assert not analysis.complete


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (None, "found a NoneType; expected a torch module"),
        (torch.nn.Linear, "found a type; expected a torch module"),
        ({}, "its keys are none"),
        ({"epoch": 3, "state_dict": {"w": np.eye(3)}}, "of a checkpoint, pass the state dict"),
        ({1: np.eye(3), "1": np.eye(4)}, "the same as text"),
        ("", "REF is empty"),
        ("nowhere.safetensors", "nowhere.safetensors does not exist"),
        (torch.nn.Linear(9, 9, device="meta"), "without one array that can be read"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_has_no_weights_is_refused_with_a_sentence(model, said):
    with pytest.raises(UsageError, match=said):
        auditor.analyze(model)


def test_an_unknown_device_is_refused():
    with pytest.raises(UsageError, match="found device 'tpu'; expected auto, cpu, cuda"):
        auditor.analyze({"fc": np.eye(3)}, device="tpu")


def test_an_unknown_convention_is_refused():
    with pytest.raises(UsageError, match="convention: found 'ww'"):
        auditor.analyze(weights(), convention="ww")


def test_a_reference_without_a_registry_says_what_to_set(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(UsageError, match="set MLFLOW_TRACKING_URI"):
        auditor.analyze("models:/net/1")


def test_progress_is_told_of_every_tensor(tmp_path):
    told = []
    auditor.analyze(write(tmp_path, weights()), progress=lambda *step: told.append(step))
    assert [step[:2] for step in told] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert {name for *_, name in told} == set(weights())


def test_a_layer_that_does_not_fit_into_memory_is_left_out_and_says_so(rng):
    found = auditor.analyze({"fc.weight": rng.normal(size=(64, 48))}, memory="1MiB")
    assert not found.complete
    (skip,) = found.skipped
    assert re.fullmatch(
        r"needs 6\d\.\d MiB to be measured, the memory limit is 1 MiB; raise it", skip.reason
    )
    with pytest.raises(UsageError, match="memory: found 'much': expected a size such as 8GiB"):
        auditor.analyze({"fc.weight": rng.normal(size=(64, 48))}, memory="much")
