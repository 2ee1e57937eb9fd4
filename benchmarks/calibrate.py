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

from auditor.executors.machine import cores
from benchmarks.calibration import campaign, jobs, page, tables
from benchmarks.calibration.journal import SAID_BY_AUDITS, SAID_BY_REFERENCE, Journal
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
    say("--results", type=Path, default=ROOT / ".auditor" / "calibration")
    say("--write", type=Path, metavar="PAGE", help="put the tables into this page")
    return parser.parse_args()


def audits(asked: argparse.Namespace) -> Iterator[jobs.Job]:
    """Everything that is audited."""
    yield from jobs.synthetic(shapes(asked), draws(asked))
    if DATA.is_dir() and not asked.quick:
        yield from jobs.real(DATA)


def referred(asked: argparse.Namespace) -> Iterator[jobs.Job]:
    """Everything that the reference is asked about."""
    if asked.quick:
        return
    if not PYTHON.exists():
        print("no reference tool: make reference", file=sys.stderr)
        return
    yield from jobs.referred(shapes(asked), draws(asked))
    if DATA.is_dir():
        yield from jobs.real_referred(DATA)


def shapes(asked: argparse.Namespace) -> tuple[Dims, ...]:
    """Those that were asked for."""
    return tuple(asked.shapes or (QUICK if asked.quick else SHAPES))


def draws(asked: argparse.Namespace) -> float:
    """Times the usual number; none is rounded up to one of each."""
    return 0.0 if asked.quick else asked.draws


def main() -> None:
    """Run what is missing, then print the tables and write them into the page."""
    asked = arguments()
    if not DATA.is_dir():
        print(f"no real weights at {DATA}: set AUDITOR_TEST_DATA", file=sys.stderr)
    ours = Journal.open(asked.results / "audits.jsonl", SAID_BY_AUDITS)
    theirs = Journal.open(asked.results / "reference.jsonl", SAID_BY_REFERENCE)
    campaign.run(jobs.missing(referred(asked), theirs), theirs, asked.workers)
    campaign.run(jobs.missing(audits(asked), ours), ours, asked.workers)
    results = sort((ours, theirs))
    blocks = {name: made(results) for name, made in tables.BLOCKS.items()}
    if asked.write:
        page.write(asked.write, blocks)
    for name, block in blocks.items():
        print(f"\n{name}: {tables.BLOCKS[name].__doc__}\n{block}")


if __name__ == "__main__":
    main()
