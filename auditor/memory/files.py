"""Spectra as files, named by what they are the spectrum of."""

import os
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from auditor.errors import LedgerError, translate
from auditor.records import FloatArray

KEY = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]+")
DAMAGE = (OSError, EOFError, ValueError, KeyError, RuntimeError, BadZipFile, zlib.error)


@dataclass(frozen=True, slots=True)
class Spectra:
    """Eigenvalues under ``<root>/ab/<key>.npz``, compressed, all slices.

    A file is there wholly or not at all, also after a power cut while it was written.
    """

    root: Path

    def save(self, key: str, eigenvalues: Sequence[FloatArray]) -> None:
        """Keep the eigenvalues of one or more slices, each (m,), in units of weight squared.

        What is kept under a key already stays, unless it is damaged.

        Raises
        ------
        ValueError
            If the key is no plain word.
        LedgerError
            If the file cannot be written.
        """
        if self.load(key) is not None:
            return
        path = self._path(key)
        sizes = np.array([len(values) for values in eigenvalues])
        arrays = {"eigenvalues": np.concatenate(eigenvalues), "sizes": sizes}
        with translate(OSError, to=LedgerError, doing=f"keeping the spectrum {path}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, arrays)

    def load(self, key: str) -> tuple[FloatArray, ...] | None:
        """The eigenvalues as they were saved; None where there are none or the file is damaged.

        Raises
        ------
        ValueError
            If the key is no plain word.
        """
        path = self._path(key)
        try:
            with ZipFile(path) as archive:
                pooled, sizes = _array(archive, "eigenvalues"), _array(archive, "sizes")
        except DAMAGE:
            return None
        return tuple(np.split(pooled, np.cumsum(sizes)[:-1]))

    def _path(self, key: str) -> Path:
        if not KEY.fullmatch(key):
            raise ValueError(f"{key!r} cannot name a spectrum; a key is letters and digits")
        return self.root / key[:2] / f"{key}.npz"


def _array(archive: ZipFile, name: str) -> NDArray[Any]:
    """One array; reading an entry to its end holds its bytes against their checksum."""
    content = BytesIO(archive.read(f"{name}.npy"))
    return np.lib.format.read_array(content, allow_pickle=False)


def _write(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write beside the place, force it to the disk, then put it in place in one step."""
    with NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
        try:
            np.savez_compressed(file, allow_pickle=False, **arrays)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            Path(file.name).unlink()
            raise
    Path(file.name).replace(path)
