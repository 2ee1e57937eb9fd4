"""Makes networks and keeps them: what was trained alike is trained once, in any run."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path

from safetensors.torch import load_file, save_file

from benchmarks.evidence.networks import Family
from benchmarks.evidence.training import Recipe, Stack, Start, train

HERE = Path(__file__).parent
MADE_BY = ("tasks.py", "networks.py", "training.py")


@dataclass(frozen=True, slots=True)
class Workshop:
    """Trains networks of some seeds; what it has trained lies under `root`."""

    root: Path
    seeds: tuple[int, ...]
    made: dict[Path, Stack] = field(default_factory=dict)

    def trained(
        self, family: Family, recipe: Recipe, *, by: str = "", start: Start | None
    ) -> Stack:
        """A network per seed; `by` says what it starts from, where it does not begin anew."""
        path = self._path(family, recipe, by)
        if path not in self.made:
            if not path.is_file():
                path.parent.mkdir(parents=True, exist_ok=True)
                stack = train(family, recipe, self.seeds, start)
                part = path.with_suffix(".part")
                save_file({name: one.contiguous() for name, one in stack.items()}, part)
                part.replace(path)
            self.made[path] = load_file(path)
        return self.made[path]

    def _path(self, family: Family, recipe: Recipe, by: str) -> Path:
        said = repr((family.name, recipe, by, self.seeds, _code()))
        name = "-".join(filter(None, (family.name, by.replace(" ", "_"))))
        return self.root / f"{name}-{sha256(said.encode()).hexdigest()[:12]}.safetensors"


@cache
def _code() -> str:
    """Changes with the code that trains."""
    return sha256(b"\0".join((HERE / name).read_bytes() for name in MADE_BY)).hexdigest()


def neighbour(seeds: Sequence[int], place: int) -> int:
    """The place of the seed that a network is set beside as another run of the same training."""
    return (place + 1) % len(seeds)
