"""What an audit is going to read and to need, known before a weight is read."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from auditor.config import Config
from auditor.errors import SourceError
from auditor.estimates import peak_bytes
from auditor.records import ModelVersion, Role, SourceFile
from auditor.weights import opened

GIB = 1024**3


def ranged(files: Sequence[SourceFile], *, disk: int, folder: Path, partial: bool) -> bool:
    """Whether to fetch only the parts of a version's files that are read.

    Whole files are preferred, for only those can be held against their digests: they are
    fetched where they fit, unless only some of the tensors are wanted.

    Parameters
    ----------
    files
        Every file of the version.
    disk
        Bytes that fetched files may take, ``limits.disk``.
    folder
        Where they would be kept, there already or not: it has to have the space, too.
    partial
        Only some of the tensors are wanted.

    Raises
    ------
    SourceError
        If the files do not fit and cannot be read in parts.
    """
    remote = [f for f in files if f.role is Role.WEIGHTS and f.ranges is not None]
    total = sum(file.size for file in remote)
    if not remote:
        return False
    return partial or total > min(disk, _free(folder))


def plan(version: ModelVersion, files: Sequence[SourceFile], config: Config) -> str:
    """What an audit would read, in words.

    Raises
    ------
    UsageError, SourceError
        If there is no weight file, or a header cannot be fetched.
    """
    weights = [file for file in files if file.role is Role.WEIGHTS]
    total = sum(file.size for file in weights)
    lines = [f"{version.uri}: {len(weights)} weight files, {total:,} bytes to read"]
    lines += [f"  {file.size:>14,}  {file.name}" for file in weights]
    with opened(files, version.uri, ranged=True) as inventory:
        matrices = [tensor for tensor in inventory.tensors if len(tensor.shape) >= 2]
        settings = config.analysis.settings
        needed = (peak_bytes(tensor, settings, pair=False) for tensor in matrices)
        lines.append(
            f"{len(inventory.tensors)} tensors, {len(matrices)} of them matrices; "
            f"the largest needs {max(needed, default=0):,} bytes while it is measured"
        )
    return "\n".join(lines)


def _free(folder: Path) -> int:
    """Bytes that are free where a folder is or will be."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free
