"""When a training is looked at, what a look gives, and what it never touches."""

import logging
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import auditor
from auditor.callbacks.modules import inner, sharded
from auditor.callbacks.recording import LONGEST, keys
from auditor.callbacks.watching import Watch
from auditor.errors import UsageError


class Clock:
    """Time as it is told to pass: a second at every reading, and what is added."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 64), nn.Linear(64, 4))


def nowhere(values: object, step: int, tell: object) -> None:
    """Record nothing."""


def looked(watch: Watch, model: object, steps: int) -> list[int]:
    for step in range(1, steps + 1):
        watch.step(model, step, nowhere)
    return [look.step for look in watch.history]


def test_it_looks_every_so_many_steps():
    assert looked(Watch(every=3, budget=1.0, clock=lambda: 0.0), network(), 10) == [3, 6, 9]


def test_a_step_that_is_left_out_or_told_twice_is_no_other_look():
    watch, model = Watch(every=10, clock=lambda: 0.0), network()
    for step in (4, 12, 12, 13, 29, 30):
        watch.step(model, step, nowhere)
    assert [look.step for look in watch.history] == [12, 29, 30]


def test_a_training_that_is_resumed_or_begun_again_keeps_to_the_same_steps():
    watch, model = Watch(every=10, clock=lambda: 0.0), network()
    for step in (1003, 1009, 1010, 1011, 1, 9, 10):
        watch.step(model, step, nowhere)
    assert [look.step for look in watch.history] == [1010, 10]


def test_what_took_too_long_is_done_less_often():
    clock = Clock()
    watch, model = Watch(every=1, budget=0.1, clock=clock), network()
    watch.step(model, 1, nowhere)  # takes a second of this clock
    watch.step(model, 2, nowhere)  # a second later: a look would take half of the time
    clock.now += 10.0
    watch.step(model, 3, nowhere)
    assert [look.step for look in watch.history] == [1, 3]
    assert [look.seconds for look in watch.history] == [1.0, 1.0]


def test_a_look_gives_what_analyze_gives():
    watch, model = Watch(every=1, metrics=("alpha", "stable_rank"), per_layer=True), network()
    watch.step(model, 1, nowhere)
    [look] = watch.history
    analysis = auditor.analyze(model)
    assert look.values["auditor/alpha/median"] == analysis.summary()["alpha"]["median"]
    assert look.values["auditor/stable_rank/mean"] == analysis.summary()["stable_rank"]["mean"]
    first = analysis.layers[0]
    assert look.values["auditor/alpha/layers/0"] == first.metrics["alpha"]
    assert "auditor/alpha/layers/3" not in look.values  # 4 eigenvalues have no tail


def test_undefined_values_are_left_out_and_broken_layers_are_counted():
    watch, model = Watch(every=1, per_layer=True), network()
    with torch.no_grad():
        model.get_parameter("0.weight")[0, 0] = math.nan
        model.get_parameter("2.weight").zero_()
    watch.step(model, 1, nowhere)
    [look] = watch.history
    assert look.values["auditor/non_finite"] == 1.0
    assert look.values["auditor/all_zero"] == 1.0
    assert all(math.isfinite(value) for value in look.values.values())
    assert "auditor/alpha/layers/0" not in look.values


def test_metrics_that_cost_more_are_measured_when_they_are_asked_for():
    watch = Watch(every=1, metrics=("num_traps", "alpha_lo"))
    watch.step(network(), 1, nowhere)
    assert {"auditor/num_traps/median", "auditor/alpha_lo/mean"} <= watch.history[0].values.keys()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"every": 0}, "expected a number of steps, 1 or more"),
        ({"budget": 0.0}, "expected a share above 0, at most 1"),
        ({"metrics": ["alfa"]}, "no metric 'alfa'"),
    ],
)
def test_what_cannot_be_is_said_before_the_training(given, said):
    with pytest.raises(UsageError, match=said):
        Watch(**given)


def test_weights_gradients_modes_and_random_states_stay_as_they_were():
    model = network()
    model(torch.ones(2, 64)).sum().backward()
    model.eval()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    gradients = [torch.clone(parameter.grad) for parameter in model.parameters()]  # type: ignore[arg-type]
    before = torch.get_rng_state()
    Watch(every=1, metrics=("alpha", "num_traps")).step(model, 1, nowhere)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    for gradient, parameter in zip(gradients, model.parameters(), strict=True):
        assert torch.equal(gradient, parameter.grad)  # type: ignore[arg-type]
    assert not model.training


def test_a_model_that_cannot_be_measured_is_told_of_once(caplog):
    watch = Watch(every=1, layers=("nothing.*",))
    with caplog.at_level(logging.WARNING):
        assert looked(watch, network(), 3) == []
    [record] = caplog.records
    assert "no layer is called as nothing.* asks" in record.getMessage()


class FullyShardedDataParallel(nn.Module):
    """Named as the one of torch, which cannot be made without several processes."""


def test_a_sharded_model_gives_no_numbers_but_a_sentence(caplog):
    model = nn.Sequential(nn.Linear(64, 64), FullyShardedDataParallel())
    with caplog.at_level(logging.WARNING):
        assert looked(Watch(every=1), model, 3) == []
    [record] = caplog.records
    assert "sharded by FSDP: its weights are not measured" in record.getMessage()


def test_weights_that_zero_3_parted_are_known_by_their_mark():
    model = network()
    assert sharded(model) == ""
    model.get_parameter("0.weight").ds_id = 0  # type: ignore[attr-defined]
    assert sharded(model) == "the model is sharded by DeepSpeed ZeRO 3"


def test_names_are_those_without_wrappers():
    model = network()
    assert inner(nn.DataParallel(model)) is model


@pytest.mark.wide  # the compiler takes seconds to import
def test_names_of_a_compiled_model_are_those_of_the_model():
    model = network()
    assert inner(nn.DataParallel(torch.compile(model, backend="eager"))) is model


@given(st.lists(st.text(max_size=300), unique=True, max_size=8))
def test_any_names_become_names_that_mlflow_takes_each_its_own(names):
    from mlflow.utils.validation import _validate_metric_name  # noqa: PLC0415 - slow

    found = keys({f"auditor/alpha/layers/{name}": float(i) for i, name in enumerate(names)})
    assert list(found.values()) == [float(i) for i in range(len(names))]
    for key in found:
        _validate_metric_name(key)
        assert len(key) <= LONGEST
