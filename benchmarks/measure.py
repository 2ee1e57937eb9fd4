"""How fast measuring is, as ratios to a floor and to the reference tool timed in the same run.

The floor is what any spectral analysis has to do, and the reference works on the same weights
in an interpreter of its own (make reference). Each row names what it must reach. All of it
takes about ten minutes, most of them for the reference on one large layer.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from auditor import analyze
from auditor.executors.machine import cores
from benchmarks.speed.reference import Reference
from benchmarks.speed.rows import ROWS, Best, Row, best, timers
from benchmarks.speed.weights import weights


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [row.name for row in ROWS]
    parser.add_argument("--only", choices=names, nargs="+", help="some rows; default: all")
    parser.add_argument("--repeat", type=int, default=3, help="times each, the best counts")
    return parser.parse_args()


def shown(row: Row, found: Best) -> str:
    """One line of the table: what was measured, and beside it what it must reach."""
    compared = []
    if row.floor:
        ratio = found.ours / found.floor
        compared.append(f"{ratio:.2f} × the floor (≤ {row.floor:g}{_mark(ratio <= row.floor)})")
    if row.faster:
        ratio = found.reference / found.ours
        faster = f"(≥ {row.faster:g}{_mark(ratio >= row.faster)})"
        compared.append(f"{ratio:.2f} × as fast as the reference {faster}")
    if row.fits:
        ratio = found.ours / found.reference
        most = f"(≤ {row.fits:g}{_mark(ratio <= row.fits)})"
        compared.append(f"{ratio:.2f} × one fit of the reference {most}")
    return f"{row.name:<16} {row.model:<18} {found.ours:>8.3f} s   {'; '.join(compared)}"


def _mark(reached: bool) -> str:  # noqa: FBT001 - the only thing it is asked
    return "" if reached else ", MISSED"


def main() -> None:
    """Time row after row."""
    asked = arguments()
    analyze(weights("ResNet20"), intervals=True, mp_fit=True, randomize=True)  # imports, caches
    print(f"{cores()} cores; best of {asked.repeat}, each in turn", flush=True)
    with Reference() as tool:
        for row in ROWS:
            if asked.only and row.name not in asked.only:
                continue
            with TemporaryDirectory() as folder:
                made = timers(row, tool, Path(folder))
                print(shown(row, best(made, min(asked.repeat, row.times))), flush=True)


if __name__ == "__main__":
    main()
