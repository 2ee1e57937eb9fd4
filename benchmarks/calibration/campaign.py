"""All the work that is left, on all cores; what was found is on file as soon as it is found."""

import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from threadpoolctl import threadpool_limits

from benchmarks.calibration.jobs import Found, Job
from benchmarks.calibration.journal import Journal

STEP = 50  # jobs between two lines of progress


def run(jobs: Sequence[Job], journal: Journal, workers: int) -> None:
    """Do the jobs in processes of one BLAS thread each."""
    context = get_context("forkserver")
    with ProcessPoolExecutor(workers, context, threadpool_limits, (1,)) as pool:
        futures = [pool.submit(_do, job) for job in jobs]
        for done, future in enumerate(as_completed(futures), start=1):
            journal.add(future.result())
            if done % STEP == 0 or done == len(jobs):
                print(f"{done} of {len(jobs)} jobs", file=sys.stderr, flush=True)


def _do(job: Job) -> Found:
    return job.work()
