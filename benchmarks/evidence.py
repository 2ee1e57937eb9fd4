"""What the findings are worth: small networks of which it is known what was done to them.

Networks of four families are trained well and badly, made smaller, put together and damaged,
twenty seeds each, and go through an audit each: alone, and against what they were before.
Trained weights, measurements and what was found are kept, so that an interrupted run goes on
where it stood; after a change of the checks only the judging is done again.
"""

import argparse
from pathlib import Path

from auditor.executors.machine import cores
from benchmarks.calibration import campaign, page
from benchmarks.calibration.jobs import missing
from benchmarks.calibration.journal import Journal
from benchmarks.evidence import explained, tables
from benchmarks.evidence.auditing import Outcome
from benchmarks.evidence.counts import Figures, figures
from benchmarks.evidence.jobs import SAID_BY, jobs

ROOT = Path(__file__).parents[1]
SEEDS = 20


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    say = parser.add_argument
    say("--seeds", type=int, default=SEEDS, help=f"networks of each kind; default: {SEEDS}")
    say("--only", nargs="+", default=(), metavar="CAUSE", help="those with such words in the name")
    say("--workers", type=int, default=cores(), help="processes; default: one per core")
    say("--results", type=Path, default=ROOT / ".auditor" / "evidence")
    say("--write", action="store_true", help="put the figures where they are read, and the page")
    return parser.parse_args()


def main() -> None:
    """Train and audit what is missing, then print the tables, or write them."""
    asked = arguments()
    journal = Journal.open(asked.results / "audits.jsonl", SAID_BY)
    wanted = list(jobs(asked.results, asked.seeds, asked.only))
    campaign.run(missing(iter(wanted), journal), journal, asked.workers)
    keys = [key for job in wanted for key in job.keys]
    found = {key.rpartition("|")[0]: [*map(Outcome.of, journal.found[key])] for key in keys}
    made = figures(found, asked.seeds)
    if asked.write:
        write(made)
    for name, table in tables.BLOCKS.items():
        print(f"\n{name}: {table.__doc__}\n{table(made)}")


def write(made: Figures) -> None:
    """The figures, the page made from them, and what `auditor explain` says of them."""
    made.write(explained.FIGURES)
    page.write(explained.PAGE, {name: table(made) for name, table in tables.BLOCKS.items()})
    explained.write(made)


if __name__ == "__main__":
    main()
