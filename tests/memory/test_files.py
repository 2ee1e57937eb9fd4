import math
import os
import pickle
import zipfile
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.errors import AuditorError, LedgerError
from auditor.file_cache import trim
from auditor.memory import Kept
from auditor.records import FloatArray, Measured, Measurement
from tests import disks

KEY = "ab" + "0" * 62


NUMBERS = Measurement("success", 7, 4, 4, {"alpha": math.nan, "num_traps": 1})


@pytest.fixture
def kept(tmp_path):
    return Kept(tmp_path / "spectra")


@pytest.fixture
def slices(rng):
    return tuple(np.sort(rng.exponential(size=size)) for size in (5, 300, 1))


def made(*slices: FloatArray, numbers: Measurement = NUMBERS) -> Measured:
    return Measured(numbers, slices)


def same(found: Measured | None, slices: Sequence[FloatArray]) -> bool:
    return (
        found is not None
        and repr(found.measurement) == repr(NUMBERS)
        and len(found.eigenvalues) == len(slices)
        and all(
            a.dtype == np.float64 and np.array_equal(a, b)
            for a, b in zip(found.eigenvalues, slices, strict=True)
        )
    )


def test_eigenvalues_come_back_bit_for_bit(kept, slices):
    kept.keep(KEY, made(*slices))
    assert same(kept.recall(KEY), slices)
    assert kept.recall("cd" + KEY[2:]) is None


def test_order_of_many_slices_is_kept(kept):
    slices = [np.array([float(index)]) for index in range(25)]
    kept.keep(KEY, made(*slices))
    assert [float(values[0]) for values in kept.recall(KEY).eigenvalues] == list(range(25))


def test_file_lies_under_the_first_letters_of_its_key_and_alone(kept, slices):
    kept.keep(KEY, made(*slices))
    files = [path for path in kept.root.rglob("*") if path.is_file()]
    assert files == [kept.root / "ab" / f"{KEY}.npz"]


def test_what_is_kept_first_stays(kept, slices):
    kept.keep(KEY, made(*slices))
    before = (kept.root / "ab" / f"{KEY}.npz").stat()
    kept.keep(KEY, made(np.arange(3.0), numbers=Measurement("zero", 1, 1, 1, {})))
    assert (kept.root / "ab" / f"{KEY}.npz").stat().st_ino == before.st_ino
    assert same(kept.recall(KEY), slices)


def test_numpy_opens_the_file_too(kept, slices):
    kept.keep(KEY, made(*slices))
    with np.load(kept.root / "ab" / f"{KEY}.npz") as arrays:
        assert arrays["sizes"].tolist() == [5, 300, 1]
        np.testing.assert_array_equal(arrays["eigenvalues"], np.concatenate(slices))


def test_beyond_the_limit_what_was_not_wanted_for_longest_goes_first(kept):
    """Looking something up counts as wanting it."""
    keys = [f"{number:02}{KEY[2:]}" for number in range(4)]
    for day, key in enumerate(keys):
        kept.keep(key, made(np.arange(100.0)))
        os.utime(kept.root / key[:2] / f"{key}.npz", (day, day))
    size = (kept.root / "00" / f"{keys[0]}.npz").stat().st_size
    assert kept.recall(keys[0]) is not None
    trim(kept.root, 2 * size)
    assert [kept.recall(key) is not None for key in keys] == [True, False, False, True]


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_damaged_file_is_absent_or_harmless_and_replaced(tmp_path_factory, data):
    kept = Kept(tmp_path_factory.mktemp("spectra"))
    slices = (np.arange(4.0), np.linspace(0, 1, 7))
    kept.keep(KEY, made(*slices))
    path = kept.root / "ab" / f"{KEY}.npz"
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] ^= data.draw(st.integers(1, 255))
    else:
        del content[place:]
    path.write_bytes(content)
    found = kept.recall(KEY)
    assert found is None or same(found, slices)
    kept.keep(KEY, made(*slices))
    assert same(kept.recall(KEY), slices)


class Trap:
    def __reduce__(self):
        return (open, ("trapped", "w"))


def test_pickle_in_a_file_is_not_executed(kept, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = kept.root / "ab" / f"{KEY}.npz"
    path.parent.mkdir(parents=True)
    np.savez(path, allow_pickle=True, eigenvalues=np.array([Trap()], dtype=object))
    assert b"trapped" in path.read_bytes()
    assert kept.recall(KEY) is None
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("eigenvalues.npy", pickle.dumps(Trap()))
    assert kept.recall(KEY) is None
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize("key", ["", "a", "../../etc/passwd", "ab/cd", "ab\0", "..", ".ab", "ab\n"])
def test_key_that_is_no_plain_word_is_refused(kept, key):
    with pytest.raises(ValueError, match="cannot name a spectrum"):
        kept.recall(key)
    with pytest.raises(ValueError, match="cannot name a spectrum"):
        kept.keep(key, made(np.arange(3.0)))


def test_place_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(AuditorError, match="failed while keeping the spectrum"):
        Kept(tmp_path / "file").keep(KEY, made(np.arange(3.0)))


def test_failed_write_leaves_nothing_behind(kept):
    unwritable = np.array([object()])
    with pytest.raises(ValueError, match="pickle"):
        kept.keep(KEY, made(unwritable))
    assert [path for path in kept.root.rglob("*") if path.is_file()] == []


def test_a_full_disk_is_one_sentence_and_no_half_of_a_file(tmp_path, slices):
    with disks.small(tmp_path / "disk") as disk:
        kept, filler = Kept(disk / "spectra"), disks.fill(disk)
        with pytest.raises(LedgerError, match=r"keeping the spectrum .*No space left on device"):
            kept.keep(KEY, made(*slices))
        assert [path for path in kept.root.rglob("*") if path.is_file()] == []
        filler.unlink()
        kept.keep(KEY, made(*slices))
        assert same(kept.recall(KEY), slices)
