"""What learns: four small networks, most of whose matrices have fifty eigenvalues and more."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import dropout, relu, softmax

from benchmarks.evidence.tasks import LENGTH, SYMBOLS

PIXELS, CLASSES = 64, 10
WIDTH, BLOCKS = 64, 10  # of the deep one
HEADS, LAYERS = 4, 2  # of the one that sorts


class Mlp(nn.Module):
    """64-256-128-64-10, rectified, with dropout where asked for."""

    def __init__(self, dropped: float = 0.0) -> None:
        super().__init__()
        self.dropped = dropped
        self.fc1 = nn.Linear(PIXELS, 256)
        self.fc2 = nn.Linear(256, 128)
        self.fc3 = nn.Linear(128, 64)
        self.fc4 = nn.Linear(64, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Scores of the classes, (n, 10)."""
        for layer in (self.fc1, self.fc2, self.fc3):
            x = dropout(relu(layer(x)), self.dropped, self.training)
        scores: Tensor = self.fc4(x)
        return scores


class Conv(nn.Module):
    """Three convolutions of 3 × 3, 16, 32 and 64 channels wide, and two linear layers."""

    def __init__(self, dropped: float = 0.0) -> None:
        super().__init__()
        self.dropped = dropped
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, stride=2, padding=1)
        self.conv3 = nn.Conv2d(32, 64, 3, stride=2, padding=1)
        self.fc1 = nn.Linear(64 * 4, 64)
        self.fc2 = nn.Linear(64, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Scores of the classes, (n, 10)."""
        x = x.unflatten(-1, (1, 8, 8))
        for layer in (self.conv1, self.conv2, self.conv3):
            x = relu(layer(x))
        x = dropout(relu(self.fc1(x.flatten(-3))), self.dropped, self.training)
        scores: Tensor = self.fc2(x)
        return scores


class Deep(nn.Module):
    """Ten residual blocks that are alike, 64 wide."""

    def __init__(self, dropped: float = 0.0) -> None:
        super().__init__()
        self.dropped = dropped
        self.blocks = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(BLOCKS))
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(BLOCKS))
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Scores of the classes, (n, 10)."""
        for block, norm in zip(self.blocks, self.norms, strict=True):
            x = x + relu(block(norm(x)))
        scores: Tensor = self.head(dropout(x, self.dropped, self.training))
        return scores


class Block(nn.Module):
    """Attention and two linear layers, each added to what came in."""

    def __init__(self) -> None:
        super().__init__()
        self.before_attention = nn.LayerNorm(WIDTH)
        self.query = nn.Linear(WIDTH, WIDTH)
        self.key = nn.Linear(WIDTH, WIDTH)
        self.value = nn.Linear(WIDTH, WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.before_mlp = nn.LayerNorm(WIDTH)
        self.up = nn.Linear(WIDTH, 2 * WIDTH)
        self.down = nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """What comes out at every position, (n, length, width)."""
        seen = self.before_attention(x)
        heads = [self._split(part(seen)) for part in (self.query, self.key, self.value)]
        fit = heads[0] @ heads[1].transpose(-1, -2) / math.sqrt(WIDTH / HEADS)
        mixed = (softmax(fit, -1) @ heads[2]).transpose(-2, -3).flatten(-2)
        x = x + self.out(mixed)
        added: Tensor = x + self.down(relu(self.up(self.before_mlp(x))))
        return added

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (HEADS, WIDTH // HEADS)).transpose(-2, -3)


class Sorter(nn.Module):
    """A transformer of two blocks, 64 wide, that puts symbols in order."""

    def __init__(self, dropped: float = 0.0) -> None:
        super().__init__()
        self.dropped = dropped
        self.embedding = nn.Linear(SYMBOLS + LENGTH, WIDTH, bias=False)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, SYMBOLS)

    def forward(self, x: Tensor) -> Tensor:
        """Scores of the symbols at every position, (n, length, symbols)."""
        table = self.embedding.weight.mT  # one row a symbol, then one a position
        x = table[x] + table[SYMBOLS:]
        for block in self.blocks:
            x = block(x)
        scores: Tensor = self.head(dropout(self.norm(x), self.dropped, self.training))
        return scores


@dataclass(frozen=True, slots=True)
class Family:
    """An architecture, its task, and the layers that faults are planted in."""

    name: str
    build: Callable[[float], nn.Module]
    task: str
    tuned_to: str  # the task that finished networks are fine-tuned to
    target: str  # the layer in which a fault is planted
    like: str = ""  # another of the same shape, where there is one
    frozen: tuple[str, ...] = ()  # beginnings of the names of what stays in fine-tuning


FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        Family("mlp", Mlp, "handwriting", "shifted", "fc2.weight", "", ("fc1.",)),
        Family("conv", Conv, "handwriting", "shifted", "conv3.weight", "", ("conv1.", "conv2.")),
        Family(
            "deep",
            Deep,
            "handwriting",
            "shifted",
            "blocks.5.weight",
            "blocks.7.weight",
            tuple(f"blocks.{number}." for number in range(BLOCKS // 2)),
        ),
        Family(
            "sorter",
            Sorter,
            "sorting",
            "reversing",
            "blocks.1.value.weight",
            "blocks.0.value.weight",
            ("embedding.", "blocks.0.query", "blocks.0.key", "blocks.0.value"),
        ),
    )
}
