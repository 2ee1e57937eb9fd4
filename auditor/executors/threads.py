"""Jobs on threads, as many at once as cores and memory allow."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

from threadpoolctl import ThreadpoolController

from auditor.executors.machine import cores

T = TypeVar("T")

LONG = 1e10  # of effort, about half a second of one core: what is shorter gains nothing from more


@dataclass(frozen=True, slots=True)
class Job(Generic[T]):
    """Something to compute, how many bytes it needs at its peak, and how long it takes."""

    work: Callable[[], T]
    bytes: int
    effort: float = 1.0  # about how many multiplications
    seconds: float = 0.0  # an estimate; counts where there is a deadline
    late: Callable[[], T] | None = None  # what it comes to if there is no time for it


def run(
    jobs: Sequence[Job[T]],
    *,
    budget: int,
    workers: int | None = None,
    deadline: float | None = None,
    among: int = 1,
) -> Iterator[T]:
    """Yield the results of `jobs` in the order they finish; they start in the given order.

    A job starts when the bytes of all running jobs stay within `budget`; one that alone
    exceeds it runs alone. LAPACK releases the interpreter lock, so threads do run side by
    side, one job each, with the cores that are left over for BLAS: two matrices at a time
    are faster than one at a time on two cores. Where all jobs together take little more
    than the longest, or no two as large as it fit into `budget`, fewer run side by side and
    each has more cores, if it is long. The first exception of a job is raised here, after the
    running jobs ended; the waiting ones are dropped.

    Parameters
    ----------
    jobs
        The longest first finish soonest.
    budget
        Bytes.
    workers
        The most threads; by default one per core.
    deadline
        On the clock `time.monotonic`. A job that would end later is not started, and its
        `late` is yielded instead.
    among
        Programs like this one that share the cores now, this one among them: each has its part
        of the threads. BLAS has as many in each as it has alone: the last digits of a result
        depend on that, and a result must not depend on what else runs.
    """
    count = at_once(jobs, budget, workers)
    threads = count if workers else max(1, min(count, cores() // among))
    blas = ThreadpoolController().select(user_api="blas")
    most = max((library.num_threads for library in blas.lib_controllers), default=1)
    with (
        blas.limit(limits=min(most, _blas_threads(jobs, count))),
        ThreadPoolExecutor(threads, thread_name_prefix="layer") as pool,
    ):
        running: dict[Future[T], int] = {}
        waiting = iter(jobs)
        job = next(waiting, None)
        try:
            while job or running:
                while job and len(running) < threads and _fits(job, running, budget):
                    if job.late and _ends_after(deadline, job):
                        yield job.late()
                    else:
                        running[pool.submit(job.work)] = job.bytes
                    job = next(waiting, None)
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    del running[future]
                    yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _ends_after(deadline: float | None, job: Job[T]) -> bool:
    return deadline is not None and time.monotonic() + job.seconds > deadline


def at_once(jobs: Sequence[Job[T]], budget: int, workers: int | None = None) -> int:
    """How many jobs at once leave no core idle for long, from 1 up to `workers`, or cores."""
    if not jobs:
        return 1
    longest = max(jobs, key=lambda job: job.effort)
    as_long = sum(job.effort for job in jobs) / longest.effort if longest.effort else 1.0
    fitting = min(round(as_long), budget // max(longest.bytes, 1))
    return max(1, min(workers or cores(), fitting))


def at_peak(jobs: Sequence[Job[T]], budget: int, workers: int | None = None) -> int:
    """Bytes that `run` may need at one time: those of its largest jobs, within the budget.

    It is all of the budget where BLAS is to have the cores that jobs side by side would leave
    idle: with another program's jobs beside them there are none, and BLAS with more threads
    than cores is several times slower than with one.
    """
    count = at_once(jobs, budget, workers)
    if _blas_threads(jobs, count) > 1:
        return budget
    largest = sorted((job.bytes for job in jobs), reverse=True)
    return min(budget, sum(largest[:count]))


def _blas_threads(jobs: Sequence[Job[T]], count: int) -> int:
    """For each of `count` jobs at once; more than one only where that pays."""
    longest = max((job.effort for job in jobs), default=0.0)
    return max(1, cores() // count) if longest >= LONG else 1


def _fits(job: Job[T], running: dict[Future[T], int], budget: int) -> bool:
    return not running or sum(running.values()) + job.bytes <= budget
