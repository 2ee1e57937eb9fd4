"""The six stories of the demo: what was done to each version, and nothing about its verdict."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import Sequential

from auditor.demo.training import Training, train

EXPORT_ERROR = 0.01


@dataclass(frozen=True, slots=True)
class Damage:
    """What a faulty tool did to one tensor after training."""

    tensor: str
    change: Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Story:
    """A version of the classifier: how it was trained and what happened to it afterwards."""

    title: str
    training: Training = field(default_factory=Training)
    seed: int = 0  # added to the seed of the demo
    damage: Damage | None = None


@dataclass(frozen=True, slots=True)
class Workshop:
    """Makes the network of a story; what is trained alike is trained once."""

    seed: int
    on_epoch: Callable[[], None] = lambda: None
    done: dict[tuple[Training, int], Sequential] = field(default_factory=dict)

    def make(self, story: Story) -> Sequential:
        """Train the story's network and do its damage, if any, to a copy."""
        recipe = (story.training, self.seed + story.seed)
        if recipe not in self.done:
            self.done[recipe] = train(*recipe, self.on_epoch)
        network = deepcopy(self.done[recipe])
        if story.damage is not None:
            weights = network.state_dict()
            weights[story.damage.tensor].copy_(story.damage.change(weights[story.damage.tensor]))
        return network


def epochs(stories: Sequence[Story]) -> int:
    """How many epochs it takes to make all of them."""
    return sum(
        training.epochs for training, _ in {(story.training, story.seed) for story in stories}
    )


def keep_one_direction(weight: Tensor) -> Tensor:
    """Replace a matrix by its best approximation of rank 1."""
    left, strengths, right = torch.linalg.svd(weight, full_matrices=False)
    return torch.outer(strengths[0] * left[:, 0], right[0])


def scale_down(weight: Tensor) -> Tensor:
    """Apply a scale factor that the reader of the file will not undo."""
    return weight * EXPORT_ERROR


STORIES = (
    Story("well trained"),
    Story("half of the labels shuffled", Training(shuffled=0.5)),
    Story("learning rate 30 times too high", Training(learning_rate=3e-2)),
    Story("one layer compressed to rank 1", damage=Damage("fc2.weight", keep_one_direction)),
    Story("one layer exported 100 times too small", damage=Damage("fc1.weight", scale_down)),
    Story("healthy again, another seed", seed=1),
)
