"""How much of a machine is ours: control groups as Linux shows them, in folders."""

from pathlib import Path

import psutil
import pytest

from auditor.executors.machine import audits_at_once, cores, free_memory

GIB = 1 << 30


class Groups:
    """Control groups, and which of them this process is in."""

    def __init__(self, root: Path) -> None:
        self.root, self.own = root / "cgroup", root / "own"
        self.own.write_text("")

    def is_in(self, line: str) -> None:
        self.own.write_text(f"{self.own.read_text()}{line}\n")

    def says(self, place: str, text: str) -> None:
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")

    @property
    def places(self) -> tuple[Path, Path]:
        return self.root, self.own


@pytest.fixture
def groups(tmp_path) -> Groups:
    return Groups(tmp_path)


def all_of_it() -> int:
    return int(psutil.virtual_memory().total)


def test_without_groups_the_machine_counts(groups):
    assert 0 < free_memory(*groups.places) <= all_of_it()
    assert 1 <= cores(*groups.places) <= psutil.cpu_count()
    assert 1 <= audits_at_once() <= cores()


def test_the_memory_of_a_container_is_its_limit_less_what_is_taken(groups):
    """Files that the system keeps in memory are given up first."""
    groups.is_in("0::/")
    groups.says("memory.max", str(GIB))
    groups.says("memory.current", str(GIB - 1000))
    assert free_memory(*groups.places) == 1000
    groups.says("memory.stat", "anon 7\ninactive_file 500\nactive_file 3")
    assert free_memory(*groups.places) == 1500


def test_the_narrowest_of_groups_within_groups_counts(groups):
    groups.is_in("0::/a/b")
    groups.says("a/b/memory.max", "max")
    groups.says("a/b/memory.current", "10")
    groups.says("a/memory.max", "5000")
    groups.says("a/memory.current", "4000")
    groups.says("memory.max", "9000")
    groups.says("memory.current", "5000")
    assert free_memory(*groups.places) == 1000


def test_a_group_that_took_more_than_it_may_leaves_nothing(groups):
    groups.is_in("0::/")
    groups.says("memory.max", "1000")
    groups.says("memory.current", "2000")
    assert free_memory(*groups.places) == 0


def test_version_one_has_a_folder_for_each_kind(groups):
    groups.is_in("4:memory:/docker/1")
    groups.is_in("3:cpu,cpuacct:/docker/1")
    groups.says("memory/docker/1/memory.limit_in_bytes", "3000")
    groups.says("memory/docker/1/memory.usage_in_bytes", "1000")
    groups.says("cpu,cpuacct/cpu.cfs_quota_us", "50000")  # as a container sees its own
    groups.says("cpu,cpuacct/cpu.cfs_period_us", "100000")
    assert free_memory(*groups.places) == 2000
    assert cores(*groups.places) == 1


@pytest.mark.parametrize(("quota", "most"), [("100000 100000", 1), ("10000 100000", 1)])
def test_the_time_that_is_granted_counts_in_cores(quota, most, groups):
    groups.is_in("0::/")
    groups.says("cpu.max", quota)
    assert cores(*groups.places) == most


@pytest.mark.parametrize("text", ["max 100000", "", "-1", "none of it"])
def test_what_says_nothing_limits_nothing(text, groups):
    free = cores(*groups.places)
    groups.is_in("0::/")
    groups.is_in("no colon at all")
    groups.says("cpu.max", text)
    groups.says("memory.max", text.split()[0] if text else "")
    assert cores(*groups.places) == free
    assert free_memory(*groups.places) > 1 << 20
