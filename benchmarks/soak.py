"""Many tiny versions through ``auditor serve``: its pace, its memory, its open files.

Versions are put into a watched folder a batch at a time, so that the service looks, audits,
delivers and tidies all the while. Printed are audits a minute, the memory of the service itself
(resident, and the part that is its own), its open files and its threads, at every tenth of the
way; and at the end how the last tenths compare with the second, when everything is warm.

    python benchmarks/soak.py                    2,000 versions, about 20 minutes on two cores
    python benchmarks/soak.py --versions 200 --audits 2
"""

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import psutil
from safetensors.numpy import save_file

MODELS = 20
TENTHS = 10
AHEAD = 40  # versions that wait, so that the service is never without work


def main() -> None:
    """Run it and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--versions", type=int, default=2000)
    parser.add_argument("--audits", default="auto", help="at once: limits.audits")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        soak(Path(folder), asked.versions, asked.audits)


def soak(root: Path, versions: int, audits: str) -> None:
    """Feed the service until it has audited all of them."""
    (root / "models").mkdir()
    (root / "config.yaml").write_text(
        "sources: [{kind: folder, root: models, history: all, settle: 0, every: 5s}]\n"
        f"sinks: [{{kind: files}}]\nlimits: {{audits: {audits}}}\nserver: {{port: 0}}\n"
    )
    log = (root / "serve.log").open("wb")
    command = [sys.executable, "-m", "auditor", "serve"]
    service = subprocess.Popen(command, cwd=root, stdout=log, stderr=log)  # noqa: S603
    print(
        f"{'audited':>8} {'a minute':>9} {'RSS MiB':>8} {'own MiB':>8} {'files':>6} {'threads':>8}"
    )
    try:
        rows = _fed(root, versions, psutil.Process(service.pid))
    finally:
        service.terminate()
        code = service.wait(60)
        log.close()
    if len(rows) > 2:
        warm, last = rows[1], rows[-1]
        print(
            f"last over second tenth: own memory {last[2] / warm[2]:.3f}, "
            f"files {last[3] / warm[3]:.3f}, audits a minute {last[0] / warm[0]:.3f}; "
            f"ended with {code}"
        )


def _fed(root: Path, versions: int, service: psutil.Process) -> list[tuple[float, ...]]:
    rng, made, rows = np.random.default_rng(1), 0, []
    start = time.monotonic()
    for tenth in range(1, TENTHS + 1):
        goal = versions * tenth // TENTHS
        while (done := _audits(root)) < goal:
            while made < min(versions, done + AHEAD):
                made += 1
                _write(root / f"models/net{made % MODELS}/{made // MODELS + 1}", rng, made)
            if not service.is_running() or service.status() == psutil.STATUS_ZOMBIE:
                sys.exit((root / "serve.log").read_text()[-3000:])
            time.sleep(0.5)
        seconds, start = time.monotonic() - start, time.monotonic()
        pace = versions / TENTHS / seconds * 60
        memory = service.memory_full_info()
        row = (pace, memory.rss / 2**20, memory.uss / 2**20, service.num_fds())
        rows.append(row)
        print(
            f"{goal:8} {pace:9.1f} {row[1]:8.1f} {row[2]:8.1f} {row[3]:6} "
            f"{service.num_threads():8}",
            flush=True,
        )
    return rows


def _write(folder: Path, rng: np.random.Generator, number: int) -> None:
    """Two small layers; in place at once, as a careful writer does."""
    staging = folder.with_name(f".{folder.name}")
    staging.mkdir(parents=True)
    layers = {f"fc{i}.weight": rng.normal(size=(32, 24)).astype(np.float32) for i in (1, 2)}
    save_file(layers, staging / "model.safetensors")
    os.utime(staging / "model.safetensors", (1_767_225_600 + number, 1_767_225_600 + number))
    staging.rename(folder)


def _audits(root: Path) -> int:
    path = root / "auditor.db"
    if not path.is_file():
        return 0
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as database:
        try:
            return int(database.execute("SELECT count(*) FROM audits").fetchone()[0])
        except sqlite3.OperationalError:  # no tables yet
            return 0


if __name__ == "__main__":
    main()
