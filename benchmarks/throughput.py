"""How many tiny models are audited in a minute, so many side by side.

Each is a version of a model of its own, three layers of 64 x 64: nearly all of the time goes to
starting the process it is read in. Rates are of this machine, with whatever else runs on it, so
look at the ratios; the rounds of all numbers are interleaved, and the best of each counts.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from safetensors.numpy import save_file

from auditor.app import assemble
from auditor.config import Config, Limits
from auditor.config.models import Plugin
from auditor.pipeline import once


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=int, default=24, help="models of one version each")
    parser.add_argument("--repeat", type=int, default=3, help="times each, the best counts")
    parser.add_argument("--audits", type=int, nargs="+", default=[1, 2, 4], help="side by side")
    return parser.parse_args()


def fill(folder: Path, count: int) -> None:
    """Models of random weights, each of its own."""
    rng = np.random.default_rng(0)
    for number in range(count):
        place = folder / f"net{number}" / "1"
        place.mkdir(parents=True)
        names = (f"h.{layer}.weight" for layer in range(3))
        state = {name: rng.standard_normal((64, 64), np.float32) for name in names}
        save_file(state, place / "model.safetensors")


def rate(models: Path, audits: int) -> float:
    """Audits a minute of a sweep over all of them, on a ledger of its own."""
    with TemporaryDirectory() as name:
        place = Path(name)
        config = Config(
            ledger=f"sqlite:///{place / 'auditor.db'}",
            data=place / "data",
            reports=place / "reports",
            sources=(Plugin("folder", {"root": str(models), "history": "all", "settle": 0}),),
            limits=Limits(audits=audits),
        )
        with assemble(config) as app:
            start = time.perf_counter()
            done = len(once(app).audited)
            seconds = time.perf_counter() - start
    return 60.0 * done / seconds


def main() -> None:
    """Print a row for each number of audits."""
    asked = arguments()
    with TemporaryDirectory() as name:
        models = Path(name)
        fill(models, asked.models)
        best = dict.fromkeys(asked.audits, 0.0)
        for _ in range(asked.repeat):
            for audits in asked.audits:
                best[audits] = max(best[audits], rate(models, audits))
    for audits, found in best.items():
        print(f"{audits} at once: {found:.0f} a minute, {found / best[asked.audits[0]]:.2f} ×")


if __name__ == "__main__":
    main()
