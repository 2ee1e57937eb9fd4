"""What reading costs: hashing a large file, and a version of which little changed.

Both rows are ratios of two times of one run. Reading and hashing a 1 GB safetensors file, every
tensor of it too, stands beside `sha256sum` of the same file, and beside one pass of `hashlib`,
which is the floor. Version 2, of which a tenth of the tensors changed, is audited after
version 1 by a sweep that remembers it; each time is the best of some repeats.
"""

import argparse
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from safetensors.numpy import save_file

from auditor.app import assemble
from auditor.config import Config
from auditor.config.models import Plugin
from auditor.pipeline import once
from auditor.records import FloatArray, Role, SourceFile
from auditor.weights import opened

CHANGED = 0.1  # of all tensors
HASHED, AUDITED = 1.2, 0.15  # what the ratios must not exceed
HIDDEN = {"small": (384, 40), "GPT-2 small": (768, 20), "1.5B": (1600, 10)}  # width, layers


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=3, help="times each, the best counts")
    parser.add_argument("--gigabytes", type=float, default=1.0, help="size of the hashed file")
    parser.add_argument("--only", choices=("hash", *HIDDEN), help="one row; default: all")
    return parser.parse_args()


def best(work: Callable[[], object], repeat: int) -> float:
    """The fewest seconds of some repeats."""
    return min(_seconds(work) for _ in range(repeat))


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def hashing(folder: Path, size: float, repeat: int) -> str:
    """The row of one large file."""
    path = folder / "model.safetensors"
    count = round(size * 1e9 / (4 * 4096 * 1024))
    rng = np.random.default_rng(0)
    values = rng.standard_normal((4096, 1024), np.float32)
    save_file({f"h.{i}.weight": values + np.float32(i) for i in range(count)}, path)
    file = SourceFile(path.name, Role.WEIGHTS, path.stat().st_size, lambda: path.open("rb"))

    def read() -> None:
        with opened([file], "a benchmark") as inventory:
            for tensor in inventory.tensors:
                tensor.digest(tensor.read())

    def floor() -> None:
        total = sha256()
        with path.open("rb") as handle:
            while chunk := handle.read(8 << 20):
                total.update(chunk)

    program = shutil.which("sha256sum") or "sha256sum"
    ours, alone = best(read, repeat), best(floor, repeat)
    peer = best(lambda: subprocess.run([program, path], check=True, capture_output=True), repeat)  # noqa: S603 - a program of the system
    mark = "" if ours <= HASHED * peer else ", MISSED"
    return (
        f"{file.size / 1e9:.2f} GB, file and tensors: {ours:.2f} s, {ours / peer:.2f} × sha256sum "
        f"(≤ {HASHED:g}{mark}), {ours / alone:.2f} × one pass of hashlib"
    )


def versions(name: str, folder: Path) -> str:
    """The row of a second version."""
    width, layers = HIDDEN[name]
    rng = np.random.default_rng(1)
    state = {f"h.{i}.weight": _matrix(rng, width) for i in range(layers)}
    settings = {"root": str(folder / "models"), "history": "all", "settle": 0}
    config = Config(
        ledger=f"sqlite:///{folder / 'auditor.db'}",
        data=folder / "data",
        reports=folder / "reports",
        sources=(Plugin("folder", settings),),
    )
    first = _audited(config, folder / "models/net/1", state)
    for i in range(max(1, round(CHANGED * layers))):
        state[f"h.{i}.weight"] = state[f"h.{i}.weight"] + _matrix(rng, width) / 10
    second = _audited(config, folder / "models/net/2", state)
    mark = "" if second <= AUDITED * first else ", MISSED"
    return (
        f"{name}, {layers} × {width}×{4 * width}: version 1 {first:.2f} s, version 2 "
        f"{second:.2f} s, {second / first:.3f} of it (≤ {AUDITED:g}{mark})"
    )


def _matrix(rng: np.random.Generator, width: int) -> FloatArray:
    return rng.standard_normal((width, 4 * width), np.float32) / np.float32(width)


def _audited(config: Config, folder: Path, state: Mapping[str, FloatArray]) -> float:
    """Seconds of a sweep that finds this one new version."""
    folder.mkdir(parents=True)
    save_file(dict(state), folder / "model.safetensors")
    with assemble(config) as app:
        start = time.perf_counter()
        outcome = once(app)
        seconds = time.perf_counter() - start
    if [audit["model"]["version"] for audit in outcome.audited] != [folder.name]:
        raise SystemExit(f"{folder}: nothing was audited: {outcome}")
    return seconds


def main() -> None:
    """Print row after row."""
    asked = arguments()
    with TemporaryDirectory() as folder:
        if asked.only in {None, "hash"}:
            print(hashing(Path(folder), asked.gigabytes, asked.repeat), flush=True)
        for name in HIDDEN:
            if asked.only in {None, name}:
                place = Path(folder) / name
                print(versions(name, place), flush=True)
                shutil.rmtree(place)


if __name__ == "__main__":
    main()
