"""What there is to do: every cause in every family, a piece each, the networks of all seeds."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from auditor.memory import Kept
from benchmarks.calibration.jobs import Found, Job
from benchmarks.calibration.journal import SAID_BY_AUDITS
from benchmarks.evidence.auditing import outcome
from benchmarks.evidence.causes import CAUSES, Cause
from benchmarks.evidence.networks import FAMILIES, Family
from benchmarks.evidence.training import Accuracy, Weights, accuracy, stacked
from benchmarks.evidence.workshop import Workshop

MADE_BY = ("tasks", "networks", "training", "faults", "causes", "auditing")
SAID_BY = (*SAID_BY_AUDITS, *(f"benchmarks/evidence/{name}.py" for name in MADE_BY))


def jobs(folder: Path, seeds: int, only: Sequence[str]) -> Iterator[Job]:
    """Everything, or the causes and families whose names have one of these words in them."""
    for family in FAMILIES.values():
        for cause in CAUSES.values():
            named = any(word in f"{family.name} {cause.name}" for word in only)
            if family.name in cause.families and (named or not only):
                key = f"{family.name}|{cause.name}|{seeds}"
                yield Job(1.0, (key,), partial(_audited, folder, seeds, family.name, cause.name))


def _audited(folder: Path, seeds: int, family: str, cause: str) -> Found:
    shop = Workshop(folder / "weights", tuple(range(seeds)))
    made, of = CAUSES[cause], FAMILIES[family]
    memory = Kept(folder / "measured")
    networks = made.networks(shop, of)
    pairs = zip(networks, made.baselines(shop, of), strict=True)
    found = [outcome(one, before, memory) for one, before in pairs]
    known = _accuracy(of, made, networks)
    if known:
        each = zip(found, known.learned, known.unseen, strict=True)
        found = [replace(one, learned=a, unseen=b) for one, a, b in each]
    return {f"{family}|{cause}|{seeds}": [asdict(one) for one in found]}


def _accuracy(family: Family, cause: Cause, networks: Sequence[Weights]) -> Accuracy | None:
    """How well they do; None where a part of the network is missing."""
    needed = family.build(0.0).state_dict().keys()
    if not needed <= networks[0].keys():
        return None
    stack = {name: one.float() for name, one in stacked(networks).items()}
    return accuracy(family, stack, family.tuned_to if cause.tuned else "")
