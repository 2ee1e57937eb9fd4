"""Peak memory of measuring, beside the estimate by which audits keep to their budget.

Each case runs in an interpreter of its own, which first imports everything by measuring a
small model; what is printed is the peak over that. It must not exceed the estimate of the
layers that are in work at one time by more than 150 MB. Needs Linux, and a minute or two.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditor.estimates import peak_bytes
from auditor.executors.machine import cores
from auditor.measuring import Baseline, Bench, measure_version
from auditor.memory import Passing
from auditor.records import Settings
from auditor.refs import find
from auditor.weights import Inventory, opened

SLACK = 150_000_000
BUDGET = 8 * 1024**3
MIB = 1024**2
TYPES = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}  # and their safetensors names
PLAIN = {"bootstrap": 0, "mp_fit": False, "randomize": False}


@dataclass(frozen=True, slots=True)
class Case:
    """A model of equal layers, and how it is measured."""

    shape: tuple[int, ...]
    dtype: str = "float32"
    settings: Mapping[str, Any] = field(default_factory=lambda: PLAIN)
    layers: int = 1
    deficient: bool = False  # its singular values have to be computed
    pair: bool = False  # with a baseline


CASES = {
    "tall": Case((50257, 768)),
    "tall bfloat16": Case((50257, 768), "bfloat16"),
    "tall audit": Case((50257, 768), settings={}, pair=True),
    "wide audit": Case((4096, 11008), "bfloat16", {}, pair=True),
    "square": Case((4096, 4096)),
    "square audit": Case((4096, 4096), settings={}, pair=True),
    "square vectors": Case((2048, 2048), settings={**PLAIN, "vectors": True}),
    "deficient": Case((6144, 2048), "float16", deficient=True),
    "convolution audit": Case((512, 512, 3, 3), settings={}, pair=True),
    "many audit": Case((2048, 2048), "bfloat16", {}, layers=8, pair=True),
    "vocabulary audit": Case((65536, 2048), "bfloat16", {}),
}


def write(path: Path, case: Case, seed: int) -> None:
    """A safetensors file of seeded weights."""
    header, offset = {}, 0
    size = int(np.prod(case.shape)) * (4 if case.dtype == "float32" else 2)
    for i in range(case.layers):
        place = [offset + i * size, offset + (i + 1) * size]
        name = {"dtype": TYPES[case.dtype], "shape": case.shape, "data_offsets": place}
        header[f"h.{i}.weight"] = name
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for i in range(case.layers):
            file.write(_bytes(case, np.random.default_rng((seed, i))))


def _bytes(case: Case, rng: np.random.Generator) -> bytes:
    values: NDArray[Any] = rng.standard_normal(case.shape, np.float32) * np.float32(0.02)
    values[: case.shape[0] // 2, : case.shape[1] // 8] += np.float32(0.02)  # no random layer
    if case.deficient:
        values[:, : case.shape[1] // 2] = values[:, case.shape[1] // 2 :]
    if case.dtype == "bfloat16":
        return (values.view("<u4") >> 16).astype("<u2").tobytes()
    return values.astype(case.dtype).tobytes()


def measure(path: Path, case: Case) -> None:
    """Measure a file, against the one beside it where the case asks for that."""
    settings = Settings(**case.settings)
    bench = Bench(Passing(), settings, BUDGET)
    now, before = (find(str(path / f"{name}.safetensors"), None) for name in ("now", "before"))
    with (
        opened(now.files(), "now") as inventory,
        opened(before.files(), "before") as other,
    ):
        tensors = {tensor.name: tensor for tensor in other.tensors}
        baseline = Baseline(before.version, tensors, {}) if case.pair else None
        measure_version(inventory, baseline, bench)


def estimated(path: Path, case: Case) -> int:
    """Bytes of all layers that are in work at one time."""
    with opened(find(str(path / "now.safetensors"), None).files(), "now") as inventory:
        each = _each(inventory, case)
    return sum(each[: min(cores(), len(each))])


def _each(inventory: Inventory, case: Case) -> list[int]:
    settings = Settings(**case.settings)
    return [peak_bytes(tensor, settings, pair=case.pair) for tensor in inventory.tensors]


def peak() -> int:
    """Most bytes that this process has had in memory so far."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s*([0-9]+) kB", status)
    return 1024 * int(found[1]) if found else 0


def child(folder: Path, given: Mapping[str, Any]) -> None:
    """Print by how much measuring raises the peak of this process."""
    case = Case(**{**given, "shape": tuple(given["shape"])})
    measure(folder / "small", case)
    start = peak()
    measure(folder, case)
    print(peak() - start)


def run(case: Case) -> tuple[int, int]:
    """Peak and estimate of a case."""
    small = Case(tuple(min(side, 64) for side in case.shape), case.dtype, layers=2)
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "small").mkdir()
        for seed, which in enumerate(("now", "before")):
            write(folder / f"{which}.safetensors", case, seed)
            write(folder / "small" / f"{which}.safetensors", small, seed)
        command = [sys.executable, __file__, "--child", name, json.dumps(asdict(case))]
        done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
        return int(done.stdout), estimated(folder, case)


def main() -> None:
    """Print a line a case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=CASES, nargs="+", help="some cases; default: all")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        child(Path(asked.child[0]), json.loads(asked.child[1]))
        return
    print("MiB over the interpreter and its imports")
    for name in asked.only or CASES:
        found, most = run(CASES[name])
        mark = "" if found <= most + SLACK else "   MISSED"
        title = f"{name:<20} {'×'.join(map(str, CASES[name].shape)):<12}"
        print(f"{title} peak {found / MIB:>6.0f}, estimate {most / MIB:>6.0f}{mark}", flush=True)


if __name__ == "__main__":
    main()
