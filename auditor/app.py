"""The one place that knows both the configuration and the parts."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

import psutil

from auditor import logs, profiles
from auditor.config import Config, parts
from auditor.examining import Examiner
from auditor.executors.gpu import CUDA, eigensolver
from auditor.executors.machine import audits_at_once
from auditor.fetching import Space, Store, ranged
from auditor.file_cache import clear, trim
from auditor.ledger import Ledger
from auditor.memory import Kept
from auditor.pipeline.parts import App
from auditor.policies import configured
from auditor.policy import Policy
from auditor.wall.jobs import Execute, Memory, Progress, Terms, quiet
from auditor.wall.process import apart
from auditor.wall.room import Room

FETCHED, MEASURED = "files", "spectra"  # folders in `Config.data`


@contextmanager
def assemble(
    config: Config,
    progress: Progress = quiet,
    execute: Execute | None = None,
    stop: threading.Event | None = None,
) -> Iterator[App]:
    """Build every part the configuration names, and close the ledger in the end.

    Versions are read and measured in a process of their own, each in a new one, within one
    budget of memory, unless `execute` says otherwise, and their files stay within one of disk.
    Those at work end when `stop` is set.

    Raises
    ------
    ConfigError
        Before any work, if a part cannot be built as configured.
    """
    built, policy = parts(config), configured(config)
    logs.adopt()
    logs.hide_secrets_of(*built.sources, *built.sinks)
    ended = stop or threading.Event()
    alone = execute or partial(apart, stop=ended, room=Room(config.limits.memory))
    work = Store(space(config), ended).within(alone)
    ledger = Ledger.open(config.ledger)
    try:
        reclaim(ledger)
        clear(config.data / FETCHED)
        yield App(
            sources={source.name: source for source in built.sources},
            sinks={sink.name: sink for sink in built.sinks},
            selectors=config.baseline,
            examiner=examiner(config, policy, kept(config), progress, work),
            ledger=ledger,
            clock=now,
            owner=owner(os.getpid()),
            tidy=partial(tidy, config),
            rhythms=built.rhythms,
            audits=audits(config),
            stop=ended,
        )
    finally:
        ledger.close()


def audits(config: Config) -> int:
    """How many versions are examined at once."""
    return audits_at_once() if config.limits.audits == "auto" else config.limits.audits


def kept(config: Config) -> Kept:
    """Where what was measured is kept."""
    return Kept(config.data / MEASURED)


def tidy(config: Config) -> None:
    """Keep fetched files, and what was measured, within their limits."""
    trim(config.data / FETCHED, config.limits.disk)
    trim(config.data / MEASURED, config.limits.cache)


def examiner(
    config: Config,
    policy: Policy,
    memory: Memory,
    progress: Progress,
    execute: Execute,
    time_budget: float | None = None,
) -> Examiner:
    """Examine within the configured limits, and in so many seconds of measuring.

    Raises
    ------
    UsageError
        If they ask for a GPU and there is none.
    ConfigError
        If a profile that is named as a baseline is not there, or is none.
    """
    if config.limits.device == CUDA:
        eigensolver(CUDA)
    told = terms(config, time_budget)
    in_parts = partial(ranged, terms=told, space=space(config))
    families = profiles.configured(config)
    return Examiner(told, policy, now, memory, progress, execute, in_parts, families)


def space(config: Config) -> Space:
    """Where fetched files are kept."""
    return Space(config.data / FETCHED, config.limits.disk)


def terms(config: Config, time_budget: float | None = None) -> Terms:
    """How versions are measured."""
    limits = config.limits
    return Terms(
        settings=config.analysis.settings,
        memory=limits.memory,
        workers=None if limits.workers == "auto" else limits.workers,
        device=limits.device,
        time_budget=time_budget,
        wall=None if limits.wall == "auto" else limits.wall,
    )


def now() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)


def owner(pid: int) -> str:
    """Name of a process that differs from any that had its number before it.

    Raises
    ------
    psutil.NoSuchProcess
        If there is none.
    """
    started = psutil.Process(pid).create_time()
    return f"{socket.gethostname()}:{pid}:{started:.2f}"


def reclaim(ledger: Ledger) -> None:
    """Give back what processes of this machine held that are no longer there."""
    for held in ledger.owners():
        host, _, rest = held.partition(":")
        if host == socket.gethostname() and not _alive(held, rest):
            ledger.release_owner(held)


def _alive(held: str, rest: str) -> bool:
    try:
        return owner(int(rest.partition(":")[0])) == held
    except (psutil.Error, ValueError):
        return False
