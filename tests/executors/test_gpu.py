import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from auditor.errors import UsageError
from auditor.executors.gpu import Together, describe, eigensolver
from auditor.spectral.eigenvalues import lapack

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="torch sees a GPU here")

SHORT_OF_MEMORY = """
import logging, resource, sys
import numpy as np, torch
from auditor.executors.gpu import Torch
from auditor.spectral.eigenvalues import lapack
logging.basicConfig(format="%(message)s", stream=sys.stdout)
torch.set_num_threads(1)
count, m, spare = map(int, sys.argv[1:])
grams = np.random.default_rng(0).normal(size=(count, m, m))
grams = grams + grams.mT
known = lapack(grams)
Torch("cpu")(grams[:1, :64, :64])
in_use = next(int(line.split()[1]) for line in open("/proc/self/status") if "VmSize" in line)
resource.setrlimit(resource.RLIMIT_AS, (1024 * in_use + spare * 2**20,) * 2)
if count > 1 and Torch("cpu")._tried(list(grams)) is None:
    print("no memory for all")
print(np.allclose(Torch("cpu")(list(grams)), known, rtol=1e-9, atol=1e-9))
"""


def test_matrices_of_one_shape_that_wait_are_solved_together():
    calls, busy, go_on = [], threading.Event(), threading.Event()

    def solve(grams):
        calls.append([gram.shape for gram in grams])
        busy.set()
        assert go_on.wait(60)
        return lapack(np.stack(grams))

    together = Together(solve)
    stacks = [np.eye(4)[np.newaxis] * i for i in range(1, 6)]
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(together, np.eye(3))
        assert busy.wait(60)
        rest = [pool.submit(together, gram) for gram in [*stacks, np.eye(2)]]
        while len(together._waiting) < len(rest):
            threading.Event().wait(0.001)
        go_on.set()
        found = [future.result() for future in rest]
    np.testing.assert_array_equal(first.result(), np.ones(3))
    for i, values in enumerate(found[:-1], start=1):
        np.testing.assert_array_equal(values, np.full((1, 4), float(i)))
    assert calls[0] == [(3, 3)]
    assert sorted(calls[1:]) == [[(2, 2)], [(4, 4)] * 5]


def test_an_error_reaches_every_thread_that_waits_for_it():
    def solve(grams):
        raise ZeroDivisionError(len(grams))

    together = Together(solve)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(together, np.eye(2)) for _ in range(4)]
    assert all(isinstance(future.exception(), ZeroDivisionError) for future in asked)


@pytest.mark.wide
@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on memory that is kept")
@pytest.mark.parametrize(
    ("count", "m", "spare"),
    [(16, 512, 24), pytest.param(1, 2200, 55, marks=pytest.mark.wide)],
)
def test_what_does_not_fit_is_solved_in_parts_and_at_last_by_lapack(count, m, spare):
    numbers = map(str, (count, m, spare))
    command = [sys.executable, "-c", SHORT_OF_MEMORY, *numbers]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    said, same = done.stdout.splitlines()
    alone = f"cpu cannot solve m = {m}, LAPACK does: "
    assert said.startswith(alone if count == 1 else "no memory for all")
    assert same == "True"


@without_gpu
def test_a_gpu_that_is_not_there_is_a_usage_error():
    with pytest.raises(UsageError, match="found no GPU that torch can use"):
        eigensolver("cuda")


@without_gpu
@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_without_a_gpu_the_processor_solves(device):
    np.testing.assert_array_equal(eigensolver(device)(np.eye(3)), np.ones(3))
    assert describe(device) == "the processor"


def test_asking_for_the_processor_or_for_what_there_is_does_not_import_torch():
    code = (
        "import sys; from auditor.executors.gpu import DRIVERS, eigensolver;"
        "eigensolver('cpu'); eigensolver('auto'); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603
