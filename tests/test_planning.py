import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from safetensors.numpy import save_file

from auditor.cli.planned import shown
from auditor.errors import SourceError, UsageError
from auditor.estimates import Speed, peak_bytes
from auditor.fetching import Space, ranged
from auditor.planning import Plan, plan
from auditor.records import Role, Settings, SourceFile
from auditor.sources.folder import files_at
from auditor.wall.jobs import Job, Terms
from auditor.wall.process import here
from auditor.weights import Tensor

GIB = 2**30
SETTINGS = Settings(bootstrap=0)
TERMS = Terms(settings=SETTINGS, memory=8 * GIB, workers=1)
SOME = replace(TERMS, time_budget=60.0)
MACHINE = Speed(multiplications=1e10, hashing=1e9)


def remote(name: str, size: int) -> SourceFile:
    def nothing() -> BinaryIO:
        raise AssertionError("nothing is to be fetched to decide this")

    return SourceFile(name, Role.WEIGHTS, size, nothing, ranges=nothing)


def space(tmp_path: Path, limit: int = GIB) -> Space:
    return Space(tmp_path / "not" / "there", limit)


def plan_of(files: Sequence[SourceFile], terms: Terms, space: Space, *, pairs: bool) -> Plan:
    job = Job(files, "a test", terms)
    return plan(job, space, MACHINE, pairs=pairs, execute=here)


# --- whole or in parts --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "disk", "partial", "expected"),
    [
        ([100, 200], 300, False, False),
        ([100, 201], 300, False, True),
        ([100], 300, True, True),
        ([], 0, True, False),
    ],
)
def test_whole_files_are_fetched_where_all_of_them_are_wanted_and_fit(
    tmp_path, sizes, disk, partial, expected
):
    files = [remote(f"{i}.safetensors", size) for i, size in enumerate(sizes)]
    files.append(SourceFile("readme.md", Role.CARD, 10**12, io.BytesIO))
    terms = SOME if partial else TERMS
    assert ranged(files, terms, Space(tmp_path, disk)) is expected


def test_what_comes_whole_or_not_at_all_has_to_fit(tmp_path):
    staged = replace(remote("s3.safetensors", 301), ranges=None, staged=True)
    assert ranged([staged], SOME, Space(tmp_path, 301))
    with pytest.raises(SourceError, match=r"hands out no parts of files.* raise limits\.disk"):
        ranged([staged, remote("hub.safetensors", 1)], TERMS, Space(tmp_path, 300))


def test_a_file_on_this_machine_is_never_fetched(tmp_path):
    local = replace(remote("here.safetensors", 10**15), ranges=None)
    assert not ranged([local], SOME, Space(tmp_path, 1))


def test_what_is_free_on_the_disk_counts_too(tmp_path):
    file = remote("huge.safetensors", 2**62)
    assert ranged([file], TERMS, space(tmp_path, 2**63))


# --- the plan -----------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Two shards, and a file that cannot be read."""
    where = tmp_path / "model"
    where.mkdir()
    for i, shapes in enumerate([[(300, 200), (300,)], [(64, 64), (40, 8, 3, 3)]], start=1):
        arrays = {f"h.{i}.{j}": rng.standard_normal(s, np.float32) for j, s in enumerate(shapes)}
        save_file(arrays, where / f"model-0000{i}-of-00002.safetensors")
    (where / "old.bin").write_bytes(b"not a model")
    return where


def planned(folder: Path, terms: Terms = TERMS, *, pairs: bool = False) -> Plan:
    return plan_of(files_at(folder), terms, space(folder), pairs=pairs)


def test_headers_are_read_in_a_process_of_their_own(folder):
    job = Job(files_at(folder), "a test", TERMS)
    apart, within = (
        plan(job, space(folder), MACHINE, pairs=True, **options)
        for options in ({}, {"execute": here})
    )
    assert apart == within
    assert apart.tensors == 4


def test_a_plan_counts_files_tensors_and_parameters(folder):
    found = planned(folder)
    assert (found.files, found.tensors, found.matrices) == (3, 4, 3)
    assert found.bytes == sum(path.stat().st_size for path in folder.iterdir())
    assert found.parameters == 300 * 200 + 64 * 64 + 40 * 8 * 9
    assert found.largest_files[0].name == "model-00001-of-00002.safetensors"
    assert found.failures[0].startswith("old.bin: ")
    assert (found.mode, found.fetched, found.disk) == ("local", 0, 0)
    assert found.coverage == 1.0


def test_memory_is_that_of_the_largest_layers_side_by_side(folder):
    needed = sorted(
        peak_bytes(Tensor("w", shape, "float32", "f", bytes), SETTINGS, pair=False)
        for shape in [(300, 200), (64, 64), (40, 8, 3, 3)]
    )
    assert planned(folder).memory == needed[-1]
    assert planned(folder).largest_layers[0].bytes == needed[-1]
    assert planned(folder, pairs=True).memory == needed[-1] + 4 * 300 * 200


def test_layers_that_do_not_fit_are_named_and_not_covered(folder):
    most = planned(folder).memory
    found = planned(folder, replace(TERMS, memory=most - 1))
    assert [layer.name for layer in found.too_large] == ["h.1.0"]
    assert found.memory < most
    assert found.coverage == pytest.approx(1.0 - 60_000 / found.parameters)


def test_time_grows_with_twins_and_pairs_and_ends_with_the_budget(folder):
    long = planned(folder).seconds
    assert planned(folder, pairs=True).seconds > 1.8 * long
    bare = replace(TERMS, settings=replace(SETTINGS, randomize=False))
    assert planned(folder, bare).seconds < long
    short = planned(folder, replace(TERMS, time_budget=long / 2.0))
    assert short.seconds == long / 2.0
    assert 0.0 < short.coverage < 1.0


def test_only_some_layers_are_planned(folder):
    some = replace(TERMS, settings=replace(SETTINGS, layers=("h.2.*",)))
    found = planned(folder, some)
    assert found.matrices == 2
    assert found.seconds < planned(folder).seconds
    with pytest.raises(UsageError, match="no layer is called"):
        planned(folder, replace(TERMS, settings=replace(SETTINGS, layers=("none",))))


def elsewhere(folder: Path, opened: list[str]) -> list[SourceFile]:
    """The files as if they were remote: what is opened whole, and how, is noted."""

    def ranges(file: SourceFile) -> Callable[[], BinaryIO]:
        def handle() -> BinaryIO:
            opened.append(file.name)
            return file.open()

        return handle

    def whole() -> BinaryIO:
        raise AssertionError("a plan needs no whole file")

    return [replace(file, open=whole, ranges=ranges(file)) for file in files_at(folder)]


def test_a_remote_plan_opens_files_in_parts_only(folder, tmp_path):
    opened: list[str] = []
    files = elsewhere(folder, opened)
    roomy = plan_of(files, TERMS, space(tmp_path), pairs=False)
    assert len(opened) == 3
    assert (roomy.mode, roomy.fetched, roomy.disk) == ("whole", roomy.bytes, roomy.bytes)
    assert "fit into 1 GiB" in roomy.reason
    tight = plan_of(files, TERMS, space(tmp_path, 1000), pairs=False)
    values = 4 * (300 * 200 + 300 + 64 * 64 + 40 * 8 * 9)
    assert (tight.mode, tight.fetched, tight.disk) == ("ranges", values, 0)
    assert "do not fit into 1000 B" in tight.reason
    some = replace(TERMS, settings=replace(SETTINGS, layers=("h.2.0",)))
    part = plan_of(files, some, space(tmp_path), pairs=False)
    assert (part.mode, part.fetched) == ("ranges", 4 * 64 * 64)


def test_a_plan_of_sparse_files_reads_headers_only(tmp_path):
    size = 50 * GIB
    shape = [size // 8192, 4096]
    text = json.dumps({"w": {"dtype": "BF16", "shape": shape, "data_offsets": [0, size]}}).encode()
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + size)
    found = planned(tmp_path)
    assert found.too_large[0].bytes > 100 * GIB
    assert found.coverage == 0.0


# --- what is printed ----------------------------------------------------------------------


def test_a_plan_is_shown_in_a_few_lines_whatever_the_files_are_called(folder):
    found = planned(folder)
    hostile = replace(found.largest_files[0], name="\x1b[31m" + "x" * 1000)
    said = shown(replace(found, largest_files=(hostile,) * 5, files=1000))
    assert "\x1b" not in said
    assert "1,000 weight files" in said
    assert len(said.splitlines()) < 12
    assert max(map(len, said.splitlines())) < 500


def test_a_plan_says_what_is_left_out_and_why(folder, tmp_path):
    tight = planned(folder, replace(TERMS, memory=planned(folder).memory - 1))
    said = shown(tight)
    assert "h.1.0 needs 6" in said
    assert "raise it" in said
    files = elsewhere(folder, [])
    timed = replace(TERMS, time_budget=1e-4)
    part = plan_of(files, timed, space(tmp_path), pairs=True)
    said = shown(part)
    assert "in parts: only some of the tensors are wanted" in said
    assert "without the transfer; " in said
    assert "each beside its baseline" in said


def test_a_plan_is_json(folder):
    assert json.loads(json.dumps(asdict(planned(folder))))["mode"] == "local"
