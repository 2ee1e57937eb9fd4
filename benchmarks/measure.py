"""How long measuring takes, as ratios to a floor that is timed in the same run.

The floor is what any spectral analysis has to do: the Gram matrix of the smaller side in
float64 and its eigenvalues, of the same matrices and nothing else, with a thread per core and
one BLAS thread each, or with one thread and all BLAS threads, whichever is faster.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from auditor import analyze
from auditor.executors.threads import cores
from auditor.records import Layer
from auditor.spectral.matrices import cut

Array = NDArray[np.float32]
Shapes = Mapping[str, tuple[int, ...]]

SEED = 20260105
RANK_SHARE = 8  # one direction in so many is learned


def minilm() -> Shapes:
    """The matrices of the six blocks of a MiniLM encoder."""
    block = {
        **{f"attention.{part}.weight": (384, 384) for part in ("query", "key", "value", "output")},
        "intermediate.weight": (1536, 384),
        "output.weight": (384, 1536),
    }
    return {f"layer.{i}.{name}": shape for i in range(6) for name, shape in block.items()}


def resnet20() -> Shapes:
    """The convolutions and the classifier of a ResNet20 for 32 by 32 images."""
    found: dict[str, tuple[int, ...]] = {"conv1.weight": (16, 3, 3, 3)}
    width = 16
    for stage, out in enumerate((16, 32, 64)):
        for block in range(3):
            found[f"layer{stage}.{block}.conv1.weight"] = (out, width, 3, 3)
            found[f"layer{stage}.{block}.conv2.weight"] = (out, out, 3, 3)
            width = out
    return {**found, "fc.weight": (10, 64)}


SETS: dict[str, Shapes] = {
    "minilm": minilm(),
    "resnet20": resnet20(),
    "2048x768": {"fc.weight": (2048, 768)},
}
WORK: dict[str, dict[str, Any]] = {
    "analyze": {},
    "+ intervals": {"intervals": True},
    "audit": {"intervals": True, "mp_fit": True, "randomize": True},
}


def weights(shapes: Shapes, *, trained: bool) -> dict[str, Array]:
    """Seeded weights: noise, and in trained ones directions whose strength falls as a power."""
    rng = np.random.default_rng(SEED)
    return {
        name: _weight(rng, shape, trained=trained).astype(np.float32)
        for name, shape in shapes.items()
    }


def _weight(
    rng: np.random.Generator, shape: tuple[int, ...], *, trained: bool
) -> NDArray[np.float64]:
    rows, cols = shape[0], int(np.prod(shape[1:]))
    noise = rng.normal(size=(rows, cols)) / np.sqrt(max(rows, cols))
    if trained:
        rank = max(1, min(rows, cols) // RANK_SHARE)
        left, right = rng.normal(size=(rows, rank)), rng.normal(size=(rank, cols))
        strength = 4.0 * (np.arange(rank) + 1.0) ** -0.5 / np.sqrt(rows * cols)
        noise += (left * strength) @ right
    found: NDArray[np.float64] = noise.reshape(shape)
    return found


def matrices(tensors: Mapping[str, Array]) -> list[Array]:
    """The matrices whose spectra an analysis takes, larger side first."""
    layers = [cut(name, value, "float32") for name, value in tensors.items()]
    slices = [part for layer in layers if isinstance(layer, Layer) for part in layer.slices]
    return [part if part.shape[0] >= part.shape[1] else part.T for part in slices]


def floor(tall: Array) -> None:
    """The floor's work on one matrix."""
    wide = tall.astype(np.float64)
    np.linalg.eigvalsh(wide.T @ wide)


def solve(parts: list[Array], workers: int, blas: int) -> None:
    """The floor's work on all matrices, the largest first."""
    ordered = sorted(parts, key=lambda part: part.size, reverse=True)
    with threadpool_limits(blas, user_api="blas"), ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(floor, ordered):
            pass


def seconds(work: Callable[[], object], repeat: int) -> float:
    """The shortest of `repeat` times."""
    found = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def row(tensors: dict[str, Array], repeat: int) -> tuple[float, list[float]]:
    """Seconds of the floor, and the ratio to it of each kind of work."""
    parts, count = matrices(tensors), cores()
    ways = {(count, 1), (1, count)}
    least = min(seconds(partial(solve, parts, *way), repeat) for way in ways)
    each = [partial(analyze, tensors, **asked) for asked in WORK.values()]
    return least, [seconds(work, repeat) / least for work in each]


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=SETS, help="one set of shapes; default: all")
    parser.add_argument("--repeat", type=int, default=2, help="times each, the best counts")
    return parser.parse_args()


def main() -> None:
    """Print the table."""
    asked = arguments()
    names = [asked.only] if asked.only else list(SETS)
    analyze(weights(SETS["resnet20"], trained=True), intervals=True, mp_fit=True, randomize=True)
    print(f"{cores()} cores; best of {asked.repeat}; ratios to the floor")
    print(f"{'weights':<20} {'matrices':>8} {'floor':>9}" + "".join(f"{n:>14}" for n in WORK))
    for name in names:
        for trained in (True, False):
            tensors = weights(SETS[name], trained=trained)
            least, ratios = row(tensors, asked.repeat)
            title = f"{name} {'trained' if trained else 'random'}"
            shown = "".join(f"{ratio:>13.2f}×" for ratio in ratios)
            print(f"{title:<20} {len(matrices(tensors)):>8} {least:>7.3f} s{shown}", flush=True)


if __name__ == "__main__":
    main()
