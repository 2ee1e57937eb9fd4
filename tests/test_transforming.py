"""``auditor.smooth`` and ``auditor.sharpen``: a copy of the same type, the original untouched."""

from collections import OrderedDict

import numpy as np
import pytest
import torch

import auditor
from auditor.errors import UsageError


def net(dtype=torch.float32):
    """A convolution, a normalisation, and an embedding that the head shares."""
    torch.manual_seed(0)
    module = torch.nn.ModuleDict(
        {
            "embedding": torch.nn.Embedding(40, 24),
            "conv": torch.nn.Conv2d(12, 16, 3),
            "norm": torch.nn.BatchNorm2d(16),
            "head": torch.nn.Linear(24, 40),
        }
    )
    module["head"].weight = module["embedding"].weight
    return module.to(dtype)


def ranks(weight):
    matrices = weight.detach().double().numpy().reshape(*weight.shape[:2], -1)
    return {int(np.linalg.matrix_rank(m, tol=1e-3)) for m in np.moveaxis(matrices, 2, 0)}


def test_a_module_gives_a_module_and_stays_as_it_is():
    module = net().eval()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    found = auditor.smooth(module, 3)
    assert type(found) is type(module)
    assert not found.training
    assert ranks(found["conv"].weight) == ranks(found["embedding"].weight) == {3}
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    assert found["conv"].weight.data_ptr() != module["conv"].weight.data_ptr()


def test_what_has_no_spectrum_is_copied_as_it_is():
    module = net()
    found = auditor.smooth(module, 1)
    assert torch.equal(found["conv"].bias, module["conv"].bias)
    assert torch.equal(found["norm"].num_batches_tracked, module["norm"].num_batches_tracked)
    assert found["conv"].bias.data_ptr() != module["conv"].bias.data_ptr()
    assert found["conv"].weight.requires_grad


def test_tied_weights_stay_tied():
    found = auditor.smooth(net(), 2)
    assert found["head"].weight is found["embedding"].weight
    state = auditor.smooth(net().state_dict(), 2)
    assert state["head.weight"].data_ptr() == state["embedding.weight"].data_ptr()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_values_keep_the_type_they_had(dtype):
    module = net(dtype)
    found = auditor.smooth(module, 4)
    assert found["conv"].weight.dtype == dtype
    expected = auditor.smooth(module.double(), 4)["conv"].weight
    assert torch.equal(found["conv"].weight, expected.to(dtype))


def test_a_state_dict_gives_a_state_dict():
    state = net().state_dict()
    found = auditor.smooth(state, "50%")
    assert type(found) is OrderedDict
    assert list(found) == list(state)
    assert vars(found).keys() == vars(state).keys()  # what torch notes beside the values
    net().load_state_dict(found)


def test_arrays_give_arrays(rng):
    matrix = rng.normal(size=(20, 12)).astype(np.float32)
    kept = matrix.copy()
    found = auditor.smooth(matrix, 5)
    assert (found.dtype, found.shape) == (matrix.dtype, matrix.shape)
    assert np.linalg.matrix_rank(found, tol=1e-4) == 5
    assert np.array_equal(matrix, kept)
    both = auditor.smooth({"w": matrix, "index": np.arange(12).reshape(3, 4)}, 5)
    assert np.array_equal(both["w"], found)
    assert both["index"].tolist() == np.arange(12).reshape(3, 4).tolist()
    tensor = auditor.smooth(torch.from_numpy(matrix), 5)
    assert np.array_equal(tensor.numpy(), found)


def test_every_order_of_memory_gives_the_same(rng):
    matrix = rng.normal(size=(20, 12))
    wide = np.zeros((40, 24))
    wide[::2, ::2] = matrix
    expected = auditor.smooth(matrix, 3)
    for same in (np.asfortranarray(matrix), wide[::2, ::2], matrix.astype(">f8")):
        assert np.array_equal(auditor.smooth(same, 3), expected)


def test_a_layer_that_is_not_finite_stays(rng):
    matrix = rng.normal(size=(20, 12))
    matrix[3, 4] = np.nan
    assert np.array_equal(auditor.smooth(matrix, 3), matrix, equal_nan=True)


def test_slices_of_a_convolution_are_smoothed_each(rng):
    weight = rng.normal(size=(8, 6, 3, 3))
    found = auditor.smooth(weight, 2)
    for i, j in np.ndindex(3, 3):
        left = np.linalg.svd(weight[:, :, i, j], compute_uv=False)[2:]
        error = np.linalg.norm(weight[:, :, i, j] - found[:, :, i, j])
        assert error == pytest.approx(np.linalg.norm(left))


@pytest.mark.parametrize("keep", [0, -1, 0.0, 1.5, True, "half", "x%", "120%", None, np.nan])
def test_what_is_no_rule_is_refused(keep):
    with pytest.raises(UsageError, match="expected a rank of 1 or more"):
        auditor.smooth(np.eye(3), keep)


@pytest.mark.parametrize("model", [3, "model.safetensors", torch.nn.Linear, [np.eye(3)]])
def test_what_is_no_model_is_refused(model):
    for transform in (lambda m: auditor.smooth(m, 1), auditor.sharpen):
        with pytest.raises(UsageError, match="expected a torch module"):
            transform(model)


def test_sharpening_a_module_takes_the_trap_and_leaves_the_rest():
    module = net()
    with torch.no_grad():
        module["embedding"].weight[5, 7] = 40.0
    found = auditor.sharpen(module)
    weights = (model["embedding"].weight.detach() for model in (found, module))
    assert [abs(float(weight[5, 7])) > 4.0 for weight in weights] == [False, True]
    assert torch.equal(found["conv"].weight, module["conv"].weight)
    analysis = auditor.analyze(found, randomize=True)
    assert not any(layer.measured.traps for layer in analysis.layers)
