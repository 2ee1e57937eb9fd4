"""What could keep this installation from doing its work."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from threadpoolctl import threadpool_info

from auditor import __version__
from auditor.config import Config, parts
from auditor.errors import AuditorError
from auditor.executors.gpu import describe
from auditor.executors.machine import cores
from auditor.policies import load_policy
from auditor.records import Seen
from auditor.single import existing_ledger
from auditor.sources import Source

GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Symptom:
    """One thing that was looked at."""

    what: str
    found: str
    fine: bool = True


def examine(config: Config) -> Iterator[Symptom]:
    """Look at everything; what is wrong does not keep the rest from being looked at."""
    yield Symptom("auditor", __version__)
    yield _try("policy", lambda: f"{load_policy(config.policy).name}")
    yield _try("ledger", lambda: _ledger(config))
    try:
        sources = parts(config).sources
    except AuditorError as error:
        yield Symptom("configuration", str(error), fine=False)
        sources = ()
    for source in sources:
        yield _try(f"source {source.name}", lambda reached=source: _reach(reached))  # type: ignore[misc]
    yield _disk(config)
    yield _memory(config)
    yield _blas()
    yield _try("eigenvalues", lambda: f"computed on {describe(config.limits.device)}")


def _try(what: str, look: Callable[[], str]) -> Symptom:
    try:
        return Symptom(what, look())
    except AuditorError as error:
        return Symptom(what, str(error), fine=False)


def _ledger(config: Config) -> str:
    with existing_ledger(config) as ledger:
        if ledger is None:
            return "none yet; the first run makes it"
        counts = (f"{count} {state}" for state, count in ledger.states().items() if count)
        troubled = (f"; {p.version.uri} {p.state}: {p.reason}" for p in ledger.problems())
        return (", ".join(counts) or "empty") + "".join(troubled)


def _reach(source: Source) -> str:
    count = sum(isinstance(change, Seen) for change in source.changes(None))
    return f"reachable, {count} versions"


def _disk(config: Config) -> Symptom:
    free = shutil.disk_usage(_existing(config.data)).free
    return Symptom(
        "disk",
        f"{free / GIB:.1f} GiB free at {config.data}; up to {config.limits.disk / GIB:.1f} GiB "
        "of fetched files are kept there",
        fine=free > GIB,
    )


def _existing(path: Path) -> Path:
    return next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists())


def _memory(config: Config) -> Symptom:
    memory = psutil.virtual_memory()
    return Symptom(
        "memory",
        f"{memory.total / GIB:.1f} GiB, {memory.available / GIB:.1f} GiB of it free; layers may "
        f"use {config.limits.memory / GIB:.1f} GiB (limits.memory)",
        fine=memory.total >= config.limits.memory,
    )


def _blas() -> Symptom:
    libraries = {str(found["internal_api"]) for found in threadpool_info()}
    named = ", ".join(sorted(libraries)) or "none found"
    return Symptom("processors", f"{cores()} cores, BLAS {named}")
