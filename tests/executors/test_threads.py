import threading
import time
from functools import partial

import pytest
from threadpoolctl import threadpool_info

from auditor.executors.machine import cores
from auditor.executors.threads import LONG, Job, at_peak, run


def test_every_result_comes_once_whatever_the_workers():
    jobs = [Job(partial(pow, n, 2), bytes=1) for n in range(50)]
    for workers in (1, 4):
        found = sorted(run(jobs, budget=10, workers=workers))
        assert found == [n * n for n in range(50)]


def test_no_job_is_no_result():
    assert list(run([], budget=1)) == []


def test_the_bytes_of_running_jobs_stay_within_the_budget():
    lock, now, most = threading.Lock(), [0], [0]

    def work(size):
        with lock:
            now[0] += size
            most[0] = max(most[0], now[0])
        time.sleep(0.01)
        with lock:
            now[0] -= size

    sizes = [3, 4, 5, 1, 2, 6, 3]
    list(run([Job(partial(work, size), size) for size in sizes], budget=7, workers=4))
    assert 0 < most[0] <= 7


def test_a_job_larger_than_the_budget_runs_alone():
    jobs = [Job(partial(int, n), bytes=size) for n, size in enumerate([1, 100, 1])]
    assert sorted(run(jobs, budget=10, workers=3)) == [0, 1, 2]


def test_the_first_error_is_raised_and_waiting_jobs_are_dropped():
    started = []

    def work(n):
        started.append(n)
        if n == 0:
            raise ZeroDivisionError
        return n

    jobs = [Job(partial(work, n), bytes=1) for n in range(100)]
    with pytest.raises(ZeroDivisionError):
        list(run(jobs, budget=1, workers=1))
    assert len(started) < 100


def test_blas_threads_are_bounded_inside_and_restored_after():
    before = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    def threads():
        return max(p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas")

    inside = list(run([Job(threads, 1)] * 4, budget=4, workers=64))
    assert set(inside) == {max(1, len(before) and inside[0])}
    assert max(inside) <= max(before)
    after = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert after == before


def started(efforts: list[float], **limits: int) -> tuple[list[float], int]:
    """Which jobs began in which order, and how many threads BLAS had in them."""
    begun: list[float] = []

    def work(effort: float) -> int:
        begun.append(effort)
        return blas_threads()

    jobs = [Job(partial(work, effort), 10, LONG * effort) for effort in efforts]
    threads = set(run(jobs, **{"budget": 1000, **limits}))
    return begun, threads.pop()


def blas_threads() -> int:
    return max(int(p["num_threads"]) for p in threadpool_info() if p["user_api"] == "blas")


def test_jobs_start_in_the_given_order():
    assert started([1.0, 3.0, 2.0], workers=1)[0] == [1.0, 3.0, 2.0]


def test_what_would_end_after_the_deadline_is_not_started():
    def job(name: str, seconds: float) -> Job[str]:
        return Job(lambda: name, 1, seconds=seconds, late=lambda: f"no {name}")

    jobs = [job("long", 3600.0), job("short", 0.0), job("longer", 7200.0)]
    in_an_hour = time.monotonic() + 1800.0
    found = set(run(jobs, budget=10, workers=1, deadline=in_an_hour))
    assert found == {"no long", "short", "no longer"}
    assert set(run(jobs, budget=10)) == {"long", "short", "longer"}
    assert set(run(jobs, budget=10, deadline=0.0)) == {"no long", "no short", "no longer"}


def test_a_job_that_has_to_be_done_is_started_after_the_deadline():
    assert list(run([Job(lambda: 1, 1, seconds=9.0)], budget=1, deadline=0.0)) == [1]


@pytest.mark.parametrize(
    ("efforts", "budget", "at_once"),
    [
        ([5.0], 1000, 1),
        ([5.0, 1.0, 0.0, 0.0], 1000, 1),
        ([0.0, 1.0, 5.0], 1000, 1),
        ([5.0] * 9, 19, 1),
        ([5.0] * 9, 1000, 9),
        ([5.0, 4.0, 0.0], 1000, 2),
        ([0.0, 0.0], 1000, 1),
    ],
)
def test_cores_without_a_job_of_their_own_help_the_others(efforts, budget, at_once):
    _, threads = started(efforts, budget=budget)
    idle = max(efforts) > 0.0
    assert threads == (min(cores() // min(cores(), at_once), blas_threads()) if idle else 1)


def test_what_is_short_gains_nothing_from_more_cores():
    assert started([0.9])[1] == 1


def test_beside_other_programs_there_are_fewer_threads_and_blas_has_what_it_has_alone():
    names: set[str] = set()

    def work() -> int:
        names.add(threading.current_thread().name)
        return blas_threads()

    jobs = [Job(work, 1, LONG)] * 50
    assert set(run(jobs, budget=100, among=cores())) == {1}
    assert len(names) == 1


@pytest.mark.parametrize(
    ("sizes", "efforts", "expected"),
    [
        ([5, 5, 5], [0.1, 0.1, 0.1], 5 * min(3, cores())),
        ([60, 50], [0.1, 0.1], 60),
        ([5], [0.1], 5),
        ([5], [1.0], 100 if cores() > 1 else 5),
        ([], [], 0),
    ],
    ids=["side by side", "too large together", "one", "one for all cores", "none"],
)
def test_what_jobs_need_at_their_peak(sizes, efforts, expected):
    pairs = zip(sizes, efforts, strict=True)
    jobs = [Job(lambda: 1, size, LONG * effort) for size, effort in pairs]
    assert at_peak(jobs, 100) == expected
