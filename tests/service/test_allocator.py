"""Threads share the arenas that memory comes from."""

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.wide  # counts the arenas of processes of its own

SCRIPT = """
import sys, threading
from auditor.service.allocator import few_arenas, give_back
if sys.argv[1] == "few":
    few_arenas()
together = threading.Barrier(8)
def work():
    together.wait()
    kept = [bytes(900) for _ in range(2_000)]  # too large for Python's own pools
    together.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
heaps = 0
with open("/proc/self/maps") as maps:
    for line in maps:  # those of threads begin at multiples of 64 MiB
        begin = int(line.partition("-")[0], 16)
        heaps += begin % (64 << 20) == 0 and len(line.split()) == 5
give_back()
print(heaps)
"""


def heaps(how: str) -> int:
    done = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", SCRIPT, how], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator is told")
def test_threads_share_few_arenas():
    """One besides the first, and what else of the process begins at such a multiple by chance."""
    assert heaps("few") <= 3
    assert heaps("as they come") >= 6
