import pickle
import zipfile
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.errors import AuditorError
from auditor.ledger import Spectra
from auditor.records import FloatArray

KEY = "ab" + "0" * 62


@pytest.fixture
def spectra(tmp_path):
    return Spectra(tmp_path / "spectra")


@pytest.fixture
def slices(rng):
    return tuple(np.sort(rng.exponential(size=size)) for size in (5, 300, 1))


def same(found: Sequence[FloatArray] | None, slices: Sequence[FloatArray]) -> bool:
    return (
        found is not None
        and len(found) == len(slices)
        and all(
            a.dtype == np.float64 and np.array_equal(a, b)
            for a, b in zip(found, slices, strict=True)
        )
    )


def test_eigenvalues_come_back_bit_for_bit(spectra, slices):
    spectra.save(KEY, slices)
    assert same(spectra.load(KEY), slices)
    assert spectra.load("cd" + KEY[2:]) is None


def test_order_of_many_slices_is_kept(spectra):
    slices = [np.array([float(index)]) for index in range(25)]
    spectra.save(KEY, slices)
    assert [float(values[0]) for values in spectra.load(KEY)] == list(range(25))


def test_file_lies_under_the_first_letters_of_its_key_and_alone(spectra, slices):
    spectra.save(KEY, slices)
    files = [path for path in spectra.root.rglob("*") if path.is_file()]
    assert files == [spectra.root / "ab" / f"{KEY}.npz"]


def test_what_is_kept_is_not_written_again(spectra, slices):
    spectra.save(KEY, slices)
    before = (spectra.root / "ab" / f"{KEY}.npz").stat()
    spectra.save(KEY, slices)
    after = (spectra.root / "ab" / f"{KEY}.npz").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_damaged_file_is_absent_or_harmless_and_replaced(tmp_path_factory, data):
    spectra = Spectra(tmp_path_factory.mktemp("spectra"))
    slices = (np.arange(4.0), np.linspace(0, 1, 7))
    spectra.save(KEY, slices)
    path = spectra.root / "ab" / f"{KEY}.npz"
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] ^= data.draw(st.integers(1, 255))
    else:
        del content[place:]
    path.write_bytes(content)
    found = spectra.load(KEY)
    assert found is None or same(found, slices)
    spectra.save(KEY, slices)
    assert same(spectra.load(KEY), slices)


class Trap:
    def __reduce__(self):
        return (open, ("trapped", "w"))


def test_pickle_in_a_file_is_not_executed(spectra, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = spectra.root / "ab" / f"{KEY}.npz"
    path.parent.mkdir(parents=True)
    np.savez(path, allow_pickle=True, eigenvalues=np.array([Trap()], dtype=object))
    assert b"trapped" in path.read_bytes()
    assert spectra.load(KEY) is None
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("eigenvalues.npy", pickle.dumps(Trap()))
    assert spectra.load(KEY) is None
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize("key", ["", "a", "../../etc/passwd", "ab/cd", "ab\0", "..", ".ab", "ab\n"])
def test_key_that_is_no_plain_word_is_refused(spectra, key):
    with pytest.raises(ValueError, match="cannot name a spectrum"):
        spectra.load(key)
    with pytest.raises(ValueError, match="cannot name a spectrum"):
        spectra.save(key, [np.arange(3.0)])


def test_place_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(AuditorError, match="failed while keeping the spectrum"):
        Spectra(tmp_path / "file").save(KEY, [np.arange(3.0)])


def test_failed_write_leaves_nothing_behind(spectra):
    unwritable = np.array([object()])
    with pytest.raises(ValueError, match="pickle"):
        spectra.save(KEY, [unwritable])
    assert [path for path in spectra.root.rglob("*") if path.is_file()] == []
