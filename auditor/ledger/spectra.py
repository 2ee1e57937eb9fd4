"""Spectra as files, named by what they are the spectrum of."""

import os
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from zipfile import BadZipFile, ZipFile

import numpy as np

from auditor.errors import AuditorError, translate
from auditor.records import FloatArray

KEY = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]+")
DAMAGE = (OSError, EOFError, ValueError, KeyError, RuntimeError, BadZipFile, zlib.error)


@dataclass(frozen=True, slots=True)
class Spectra:
    """Eigenvalues under ``<root>/ab/<key>.npz``, compressed, one array per slice.

    A file is there wholly or not at all, also after a power cut while it was written.
    """

    root: Path

    def save(self, key: str, eigenvalues: Sequence[FloatArray]) -> None:
        """Keep the eigenvalues of every slice, each (m,), in units of weight squared.

        What is kept under a key already stays, unless it is damaged.

        Raises
        ------
        ValueError
            If the key is no plain word.
        AuditorError
            If the file cannot be written.
        """
        if self.load(key) is not None:
            return
        path = self._path(key)
        arrays = {str(index): values for index, values in enumerate(eigenvalues)}
        with translate(OSError, to=AuditorError, doing=f"keeping the spectrum {path}"):
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
                names = sorted(archive.namelist(), key=lambda name: (len(name), name))
                found = tuple(_array(archive.read(name)) for name in names)
        except DAMAGE:
            return None
        return found if names == [f"{index}.npy" for index in range(len(found))] else None

    def _path(self, key: str) -> Path:
        if not KEY.fullmatch(key):
            raise ValueError(f"{key!r} cannot name a spectrum; a key is letters and digits")
        return self.root / key[:2] / f"{key}.npz"


def _array(content: bytes) -> FloatArray:
    """One array; its bytes were held against the archive's checksum when they were read."""
    values: FloatArray = np.lib.format.read_array(BytesIO(content), allow_pickle=False)
    return values


def _write(path: Path, arrays: dict[str, FloatArray]) -> None:
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
