"""What there is to learn: handwritten digits, and sequences that are to be put in order."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from auditor.demo.training import digits

SIDE = 8  # pixels of an image
SYMBOLS, LENGTH = 10, 6
SEQUENCES, UNSEEN = 2048, 512
SEQUENCE_SEED = 0


@dataclass(frozen=True, slots=True)
class Part:
    """Inputs (n, ...), and the classes they belong to: (n,) or one a position."""

    inputs: Tensor
    labels: Tensor


@dataclass(frozen=True, slots=True)
class Task:
    """What is learned from, and what was not seen while learning."""

    learned: Part
    unseen: Part
    classes: int


@cache
def handwriting() -> Task:
    """Digits of 8 × 8 pixels, 1400 to learn from and 397 to test with."""
    learned, unseen = digits()
    return Task(Part(learned.images, learned.labels), Part(unseen.images, unseen.labels), 10)


@cache
def shifted() -> Task:
    """The same digits, moved to the right by a pixel: what a finished network is tuned to."""
    task = handwriting()
    return Task(_moved(task.learned), _moved(task.unseen), task.classes)


def _moved(part: Part) -> Part:
    images = part.inputs.unflatten(1, (SIDE, SIDE))
    return Part(images.roll(1, dims=2).flatten(1), part.labels)


@cache
def sorting() -> Task:
    """Sequences of symbols; what is asked for at each position is the sorted sequence's."""
    dice = torch.Generator().manual_seed(SEQUENCE_SEED)
    drawn = torch.randint(SYMBOLS, (SEQUENCES + UNSEEN, LENGTH), generator=dice)
    return _split(drawn, drawn.sort(1).values)


@cache
def reversing() -> Task:
    """The same sequences in descending order: what a finished network is tuned to."""
    task = sorting()
    drawn = torch.cat((task.learned.inputs, task.unseen.inputs))
    return _split(drawn, drawn.sort(1, descending=True).values)


def _split(inputs: Tensor, labels: Tensor) -> Task:
    return Task(
        Part(inputs[:SEQUENCES], labels[:SEQUENCES]),
        Part(inputs[SEQUENCES:], labels[SEQUENCES:]),
        SYMBOLS,
    )


TASKS: Mapping[str, Callable[[], Task]] = {
    made.__name__: made for made in (handwriting, shifted, sorting, reversing)
}
