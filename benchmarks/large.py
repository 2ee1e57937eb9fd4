"""Peak memory of planning and measuring a model of 21 GB, beside what the plan says.

Five shards of a transformer of ten billion parameters in bfloat16, as sparse files: every
header is true, and of the values only those of the layers that are measured. One interpreter
plans all of it, another measures what fits into a minute; both print the peak over what they
have after measuring a small model. Files are not hashed, which takes time and no memory.
Needs Linux, 1 GB of disk, and three minutes.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from memory import MIB, SLACK, peak

from auditor.estimates import speed
from auditor.fetching import Space
from auditor.measuring import Bench, measure_version
from auditor.memory import Passing
from auditor.planning import Plan, plan
from auditor.records import Settings
from auditor.sources.folder import files_at
from auditor.wall.jobs import Job, Terms
from auditor.wall.process import here
from auditor.weights import opened

HIDDEN, INNER, KEYS, VOCABULARY, BLOCKS, SHARDS = 4096, 14336, 1024, 128_256, 43, 5
BUDGET = 2 * 1024**3
SECONDS = 60.0
MEASURED = "model.layers.0."
TERMS = Terms(
    settings=Settings(layers=(f"{MEASURED}*",)), memory=BUDGET, workers=2, time_budget=SECONDS
)


@dataclass(frozen=True, slots=True)
class Weight:
    """One tensor, in bfloat16."""

    name: str
    shape: tuple[int, int]

    @property
    def nbytes(self) -> int:
        """Bytes of its values."""
        return 2 * self.shape[0] * self.shape[1]


def weights(blocks: int, scale: int) -> Iterator[Weight]:
    """Those of a transformer, every side divided by `scale`."""
    hidden, inner, keys = HIDDEN // scale, INNER // scale, KEYS // scale
    yield Weight("model.embed_tokens.weight", (VOCABULARY // scale, hidden))
    for block in range(blocks):
        head = f"model.layers.{block}"
        for name, rows in {"q": hidden, "k": keys, "v": keys, "o": hidden}.items():
            yield Weight(f"{head}.self_attn.{name}_proj.weight", (rows, hidden))
        yield Weight(f"{head}.mlp.gate_proj.weight", (inner, hidden))
        yield Weight(f"{head}.mlp.up_proj.weight", (inner, hidden))
        yield Weight(f"{head}.mlp.down_proj.weight", (hidden, inner))
    yield Weight("lm_head.weight", (VOCABULARY // scale, hidden))


def write(folder: Path, found: Sequence[Weight]) -> None:
    """Shards of about one size."""
    folder.mkdir()
    each = sum(weight.nbytes for weight in found) / SHARDS
    shards: list[list[Weight]] = [[] for _ in range(SHARDS)]
    before = 0
    for weight in found:
        shards[min(int(before / each), SHARDS - 1)].append(weight)
        before += weight.nbytes
    for number, shard in enumerate(shards, start=1):
        write_shard(folder / f"model-{number:05d}-of-{SHARDS:05d}.safetensors", shard)


def write_shard(path: Path, shard: Sequence[Weight]) -> None:
    """Zeros that take no room on the disk, but for what is measured."""
    header, offset = {}, 0
    for weight in shard:
        place = [offset, offset + weight.nbytes]
        header[weight.name] = {"dtype": "BF16", "shape": weight.shape, "data_offsets": place}
        offset += weight.nbytes
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for weight in shard:
            if weight.name.startswith(MEASURED):
                file.write(values(weight))
            else:
                file.seek(weight.nbytes, 1)
        file.truncate(8 + len(text) + offset)


def values(weight: Weight) -> bytes:
    """Seeded ones, of a layer that has learnt something."""
    rng = np.random.default_rng(weight.shape)
    wide = rng.standard_normal(weight.shape, np.float32) * np.float32(0.02)
    wide[: weight.shape[0] // 2, : weight.shape[1] // 8] += np.float32(0.02)
    return (wide.view("<u4") >> 16).astype("<u2").tobytes()


def planned(folder: Path, terms: Terms) -> Plan:
    """From headers only."""
    job = Job(files_at(folder), str(folder), terms)
    return plan(job, Space(folder, BUDGET), speed(), pairs=False, execute=here)


def measured(folder: Path) -> int:
    """How many layers were measured."""
    bench = Bench(
        Passing(), TERMS.settings, TERMS.memory, TERMS.workers, time_budget=TERMS.time_budget
    )
    with opened(files_at(folder), "here", unchecked=True) as inventory:
        return len(measure_version(inventory, None, bench).layers)


def child(what: str, folder: Path) -> None:
    """Print the peak over that of a small model, the plan's estimate, seconds and a count."""
    everything = replace(TERMS, settings=Settings(), time_budget=None)
    planned(folder / "small", everything)
    measured(folder / "small")
    before, start = peak(), time.perf_counter()
    if what == "plan":
        found = planned(folder / "large", everything)
        count = found.tensors
    else:
        found = planned(folder / "large", TERMS)
        count = measured(folder / "large")
    print(json.dumps([peak() - before, found.memory, time.perf_counter() - start, count]))


def main() -> None:
    """Print a line each for planning and measuring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        child(asked.child[0], Path(asked.child[1]))
        return
    with TemporaryDirectory() as name:
        write(Path(name) / "small", list(weights(1, 64)))
        write(Path(name) / "large", list(weights(BLOCKS, 1)))
        total = sum(path.stat().st_size for path in (Path(name) / "large").iterdir())
        print(f"{SHARDS} shards, {total / 1e9:.1f} GB, limits.memory {BUDGET / MIB:.0f} MiB")
        for what, unit in (("plan", "tensors"), ("measure", "layers")):
            command = [sys.executable, __file__, "--child", what, name]
            done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
            found, estimate, seconds, count = json.loads(done.stdout)
            most = (estimate if what == "measure" else 0) + SLACK
            print(
                f"{what:<8} peak {found / MIB:>6.0f} MiB, at most {most / MIB:>6.0f}; "
                f"{count} {unit} in {seconds:.0f} s{'' if found <= most else '   MISSED'}",
                flush=True,
            )


if __name__ == "__main__":
    main()
