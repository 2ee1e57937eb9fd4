"""A file of any format, cut off anywhere, is a sentence and never a smaller model."""

import json

import pytest

from auditor.cli import run
from tests.weights.reading import in_memory, look
from tests.weights.whole import FILES, NAME, WEIGHT

STEP = 4 << 10


@pytest.mark.parametrize("file", FILES)
def test_the_whole_file_is_read(file):
    (tensor,) = look(in_memory(file, FILES[file](NAME))).tensors
    assert sorted(tensor.shape) == sorted(WEIGHT.shape)


@pytest.mark.parametrize("file", FILES)
def test_cut_off_at_every_4_kib_it_is_a_failure(file):
    whole = FILES[file](NAME)
    lengths = {*range(STEP, len(whole), STEP), 1, 100, len(whole) // 2, len(whole) - 1}
    for length in sorted(lengths):
        inventory = look(in_memory(file, whole[:length]))
        (failure,) = inventory.reading.failures
        assert inventory.tensors == (), length
        assert failure.reason.isprintable()


def test_a_version_of_cut_off_files_is_incomplete(tmp_path, capsys):
    for file, make in FILES.items():
        whole = make(NAME)
        (tmp_path / file).write_bytes(whole[: len(whole) // STEP * STEP // 2])
    assert run(["audit", str(tmp_path), "--json"]) == 3
    document = json.loads(capsys.readouterr().out)
    assert "cannot be used" in document["reason"]
    failed = {failure["name"] for failure in document["weights"]["failures"]}
    left_out = {skip["name"] for skip in document["skipped"]}  # copies are told by their names
    assert failed | left_out == FILES.keys()
    assert document["layers"] == []
