"""Training of many seeds at once: networks of one architecture, stacked.

Every seed has its own initial weights, its own order of the examples and its own wrong
labels. Nothing is shared between them but the clock.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.functional import cross_entropy
from torch.optim import SGD, AdamW, Optimizer

from auditor.demo.training import dealt_again
from benchmarks.evidence.networks import Family
from benchmarks.evidence.tasks import TASKS, Part, Task

Stack = dict[str, Tensor]  # name -> (seeds, ...)
Weights = dict[str, np.ndarray]
MOMENTUM = 0.9


@dataclass(frozen=True, slots=True)
class Recipe:
    """How networks are trained."""

    learning_rate: float = 2e-3
    epochs: int = 25
    optimizer: str = "adam"
    weight_decay: float = 0.0
    dropped: float = 0.0
    shuffled: float = 0.0  # share of the training labels that are dealt out again
    batch: int = 64


@dataclass(frozen=True, slots=True)
class Start:
    """What training begins with, where it does not begin anew."""

    weights: Stack
    frozen: tuple[str, ...] = ()  # beginnings of names of what is not trained
    keep_zeros: bool = False  # what is zero stays so
    tuned_to: str = ""  # another task
    is_teacher: bool = False  # the weights are only asked what they would say


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Share of examples whose class is named rightly, by seed."""

    learned: tuple[float, ...]  # measured with the right labels
    unseen: tuple[float, ...]


def fresh(family: Family, seeds: Sequence[int], dropped: float = 0.0) -> Stack:
    """Untrained networks."""
    made = []
    with torch.random.fork_rng(devices=[]):
        for seed in seeds:
            torch.manual_seed(seed)
            made.append(family.build(dropped))
    return {name: one.detach() for name, one in stack_module_state(made)[0].items()}


def train(family: Family, recipe: Recipe, seeds: Sequence[int], start: Start | None) -> Stack:
    """Train a network per seed; the same arguments give the same weights."""
    with exact(seeds[0]):
        network = family.build(recipe.dropped).train()
        begin = start.weights if start and not start.is_teacher else fresh(family, seeds)
        stack = {name: one.clone().requires_grad_() for name, one in begin.items()}
        task = TASKS[(start and start.tuned_to) or family.task]()
        trained = [one for name, one in stack.items() if not _is_frozen(name, start)]
        steps = _optimizer(recipe, trained)
        alive = [one != 0 for one in trained] if start and start.keep_zeros else []
        for inputs, targets in _batches(family, task, recipe, seeds, start):
            steps.zero_grad()
            _loss(_scores(network, stack, inputs), targets).backward()  # type: ignore[no-untyped-call]
            steps.step()
            with torch.no_grad():
                for one, mask in zip(trained, alive, strict=False):
                    one.mul_(mask)
    return {name: one.detach() for name, one in stack.items()}


def accuracy(family: Family, stack: Stack, tuned_to: str = "") -> Accuracy:
    """How well networks do, on what they learned from and on what they did not see."""
    network, task = family.build(0.0).eval(), TASKS[tuned_to or family.task]()
    with exact(0), torch.no_grad():
        parts = [_named_rightly(network, stack, part) for part in (task.learned, task.unseen)]
    return Accuracy(*parts)


def one_of(stack: Stack, place: int) -> Weights:
    """The network of one seed, as arrays."""
    return {name: one[place].numpy() for name, one in stack.items()}


def stacked(networks: Sequence[Mapping[str, np.ndarray]]) -> Stack:
    """Networks of several seeds as one."""
    names = networks[0]
    return {name: torch.tensor(np.stack([one[name] for one in networks])) for name in names}


@contextmanager
def exact(seed: int) -> Iterator[None]:
    """One thread, and every random number from the seed."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.use_deterministic_algorithms(mode=False)
        torch.set_num_threads(threads)


def _is_frozen(name: str, start: Start | None) -> bool:
    return start is not None and name.startswith(start.frozen or ("no name",))


def _optimizer(recipe: Recipe, trained: Sequence[Tensor]) -> Optimizer:
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimizer == "sgd":
        return SGD(trained, lr=rate, momentum=MOMENTUM, weight_decay=decay)
    return AdamW(trained, lr=rate, weight_decay=decay)


def _batches(
    family: Family, task: Task, recipe: Recipe, seeds: Sequence[int], start: Start | None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs (seeds, batch, ...) and targets, in an order of each seed's own."""
    dice = [torch.Generator().manual_seed(seed) for seed in seeds]
    targets = _targets(family, task, recipe, dice, start)
    count = len(task.learned.inputs)
    for _ in range(recipe.epochs):
        orders = torch.stack([torch.randperm(count, generator=one) for one in dice])
        for rows in torch.split(orders, recipe.batch, dim=1):
            yield task.learned.inputs[rows], _rows(targets, rows)


def _targets(
    family: Family,
    task: Task,
    recipe: Recipe,
    dice: Sequence[torch.Generator],
    start: Start | None,
) -> Tensor:
    """What each seed is told: labels (seeds, n, ...), or what its teacher says of them."""
    if start and start.is_teacher:
        with torch.no_grad():
            inputs = task.learned.inputs.expand(len(dice), *task.learned.inputs.shape)
            teacher = family.build(0.0).eval()
            return _scores(teacher, start.weights, inputs).softmax(-1)
    labels = task.learned.labels
    return torch.stack([dealt_again(labels, recipe.shuffled, one) for one in dice])


def _rows(targets: Tensor, rows: Tensor) -> Tensor:
    places = torch.arange(len(targets)).unsqueeze(1)
    return targets[places, rows]


def _scores(network: nn.Module, stack: Stack, inputs: Tensor) -> Tensor:
    def of_one(weights: Stack, seen: Tensor) -> Tensor:
        scores: Tensor = functional_call(network, weights, (seen,))
        return scores

    together: Callable[[Stack, Tensor], Tensor] = vmap(of_one, randomness="different")
    return together(stack, inputs)


def _loss(scores: Tensor, targets: Tensor) -> Tensor:
    """The sum over seeds of each one's mean: no seed feels another."""
    flat = targets.flatten(0, -2) if targets.is_floating_point() else targets.flatten()
    return cross_entropy(scores.flatten(0, -2), flat) * len(scores)


def _named_rightly(network: nn.Module, stack: Stack, part: Part) -> tuple[float, ...]:
    count = len(next(iter(stack.values())))
    inputs = part.inputs.expand(count, *part.inputs.shape)
    hits = (_scores(network, stack, inputs).argmax(-1) == part.labels).float()
    return tuple(hits.flatten(1).mean(1).tolist())
