"""What was measured of a layer, as one file under its measurement key."""

import json
import os
import re
import zlib
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from auditor.errors import LedgerError, translate
from auditor.memory.numbers import from_json, to_json
from auditor.records import Measured
from auditor.whole_files import whole

KEY = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]+")
DAMAGE = (OSError, EOFError, ValueError, TypeError, KeyError, RuntimeError, BadZipFile, zlib.error)
NUMBERS = "numbers.json"


@dataclass(frozen=True, slots=True)
class Kept:
    """Numbers and eigenvalues under ``<root>/ab/<key>.npz``, compressed, all slices.

    `numpy.load` opens a file too: ``eigenvalues``, ascending within a slice, in units of
    weight squared, and ``sizes``, how many each slice has. A file is there wholly or not at
    all, also after a power cut while it was written; which was wanted last is its
    modification time.
    """

    root: Path

    def recall(self, key: str) -> Measured | None:
        """What was kept under a key; None where there is nothing, or the file is damaged.

        Raises
        ------
        ValueError
            If the key is no plain word.
        """
        path = self._path(key)
        try:
            with ZipFile(path) as archive:
                measurement = from_json(json.loads(archive.read(NUMBERS)))
                pooled, sizes = _array(archive, "eigenvalues"), _array(archive, "sizes")
            slices = tuple(np.split(pooled, np.cumsum(sizes)[:-1]))
        except DAMAGE:
            return None
        with suppress(OSError):  # it may have gone by now, or be another user's
            os.utime(path)
        return Measured(measurement, slices)

    def keep(self, key: str, measured: Measured) -> None:
        """Keep numbers and the eigenvalues of one or more slices, each (m,).

        What is kept under a key already stays, unless it is damaged.

        Raises
        ------
        ValueError
            If the key is no plain word.
        LedgerError
            If the file cannot be written.
        """
        if self.recall(key) is not None:
            return
        path = self._path(key)
        with translate(OSError, to=LedgerError, doing=f"keeping the spectrum {path}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole(path) as file:
                _write_archive(file, measured)

    def _path(self, key: str) -> Path:
        if not KEY.fullmatch(key):
            raise ValueError(f"{key!r} cannot name a spectrum; a key is letters and digits")
        return self.root / key[:2] / f"{key}.npz"


def _array(archive: ZipFile, name: str) -> NDArray[Any]:
    """One array; reading an entry to its end holds its bytes against their checksum."""
    content = BytesIO(archive.read(f"{name}.npy"))
    return np.lib.format.read_array(content, allow_pickle=False)


def _write_archive(file: IO[bytes], measured: Measured) -> None:
    sizes = np.array([len(values) for values in measured.eigenvalues])
    arrays = {"eigenvalues": np.concatenate(measured.eigenvalues), "sizes": sizes}
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
        archive.writestr(NUMBERS, json.dumps(to_json(measured.measurement), allow_nan=False))
