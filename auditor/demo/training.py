"""Train the classifiers of the demo: a small network on scikit-learn's handwritten digits."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import Linear, Module, ReLU, Sequential
from torch.nn.functional import cross_entropy

from auditor.errors import UsageError

PIXELS, WIDTH, DIGITS = 64, 512, 10
TRAINING_IMAGES = 1400  # of 1797; the others are the test set
SPLIT_SEED = 0  # every version sees the same images


@dataclass(frozen=True, slots=True)
class Training:
    """How a classifier is trained, by Adam on mini-batches."""

    learning_rate: float = 1e-3
    shuffled: float = 0.0  # share of the training labels that are dealt out again at random
    epochs: int = 40
    batch: int = 32


@dataclass(frozen=True, slots=True)
class Digits:
    """Images (n, 64) with pixels in 0..1 and their labels (n,)."""

    images: Tensor
    labels: Tensor

    def part(self, rows: Tensor) -> "Digits":
        """Some of the images, with their labels."""
        return Digits(self.images[rows], self.labels[rows])


def classifier() -> Sequential:
    """Build an untrained 64-512-512-10 network with rectified units."""
    return Sequential(
        OrderedDict[str, Module](
            fc1=Linear(PIXELS, WIDTH),
            relu1=ReLU(),
            fc2=Linear(WIDTH, WIDTH),
            relu2=ReLU(),
            fc3=Linear(WIDTH, DIGITS),
        )
    )


def train(training: Training, seed: int, on_epoch: Callable[[], None]) -> Sequential:
    """Train a classifier; the same training and seed give the same network.

    Parameters
    ----------
    training
        What is done.
    seed
        Decides the initial weights, the order of the images and the labels dealt out again.
    on_epoch
        Called after each epoch.

    Raises
    ------
    UsageError
        If scikit-learn, which brings the images, is not installed.
    """
    learned, _ = digits()
    dice = torch.Generator().manual_seed(seed)
    labels = dealt_again(learned.labels, training.shuffled, dice)
    with _one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = classifier()
        adam = torch.optim.Adam(network.parameters(), lr=training.learning_rate)
        for _ in range(training.epochs):
            order = torch.randperm(len(labels), generator=dice)
            for batch in torch.split(order, training.batch):
                adam.zero_grad()
                cross_entropy(network(learned.images[batch]), labels[batch]).backward()  # type: ignore[no-untyped-call]
                adam.step()
            on_epoch()
    return network


def accuracy(network: Module) -> float:
    """Share of the test images that the network names rightly."""
    _, unseen = digits()
    with torch.no_grad():
        return float((network(unseen.images).argmax(1) == unseen.labels).float().mean())


def dealt_again(labels: Tensor, share: float, dice: torch.Generator) -> Tensor:
    """Labels of which a share, chosen at random, changed places among themselves."""
    chosen = torch.randperm(len(labels), generator=dice)[: round(len(labels) * share)]
    dealt = labels.clone()
    dealt[chosen] = labels[chosen[torch.randperm(len(chosen), generator=dice)]]
    return dealt


@cache
def digits() -> tuple[Digits, Digits]:
    """Images to learn from and images to test with.

    Raises
    ------
    UsageError
        If scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits  # noqa: PLC0415 - an extra, asked for here
    except ImportError as error:
        raise UsageError(
            "the demo needs scikit-learn for its images; pip install 'auditor[demo]'"
        ) from error
    images, labels = load_digits(return_X_y=True)
    known = Digits(torch.tensor(images / 16.0, dtype=torch.float32), torch.tensor(labels))
    rows = torch.randperm(len(labels), generator=torch.Generator().manual_seed(SPLIT_SEED))
    return known.part(rows[:TRAINING_IMAGES]), known.part(rows[TRAINING_IMAGES:])


@contextmanager
def _one_thread() -> Iterator[None]:
    """Steps this small gain nothing by more, and wait for each other on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
