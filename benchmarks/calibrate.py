"""How often every check is wrong: false alarms and faults that are found, at the default policy.

Seeded tensors of known kinds in thirty shapes, and the real weights beside the repository, go
through an audit each; the reference tool is asked about some of the same. What was found is
kept on file, so that an interrupted run goes on where it stood; changed code begins anew.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from auditor.executors.threads import cores
from benchmarks.calibration import campaign, jobs, page, tables
from benchmarks.calibration.journal import Journal
from benchmarks.calibration.results import sort
from benchmarks.calibration.shapes import QUICK, SHAPES, Dims, dims_of
from tests.reference.client import PYTHON

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("AUDITOR_TEST_DATA", ROOT.parent / "shared" / "data"))


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    say = parser.add_argument
    say("--quick", action="store_true", help="three small shapes, one draw each, nothing else")
    say("--shapes", nargs="+", type=dims_of, metavar="64x64", help="default: thirty of them")
    say("--draws", type=float, default=1.0, help="times the usual number of draws")
    say("--workers", type=int, default=cores(), help="processes; default: one per core")
    say("--results", type=Path, default=ROOT / ".auditor" / "calibration.jsonl")
    say("--write", type=Path, metavar="PAGE", help="put the tables into this page")
    return parser.parse_args()


def work(asked: argparse.Namespace) -> Iterator[jobs.Job]:
    """All jobs that were asked for."""
    shapes: tuple[Dims, ...] = tuple(asked.shapes or (QUICK if asked.quick else SHAPES))
    draws = 0.0 if asked.quick else asked.draws
    yield from jobs.synthetic(shapes, draws)
    if asked.quick:
        return
    if PYTHON.exists():
        yield from jobs.referred(shapes, draws)
    else:
        print("no reference tool: make reference", file=sys.stderr)
    if DATA.is_dir():
        yield from jobs.real(DATA, with_reference=PYTHON.exists())
    else:
        print(f"no real weights at {DATA}: set AUDITOR_TEST_DATA", file=sys.stderr)


def main() -> None:
    """Run what is missing, then print the tables or write them into the page."""
    asked = arguments()
    journal = Journal.open(asked.results)
    campaign.run(jobs.missing(work(asked), journal), journal, asked.workers)
    results = sort(journal)
    blocks = {name: made(results) for name, made in tables.BLOCKS.items()}
    if asked.write:
        page.write(asked.write, blocks)
    for name, block in blocks.items():
        print(f"\n{name}: {tables.BLOCKS[name].__doc__}\n{block}")


if __name__ == "__main__":
    main()
