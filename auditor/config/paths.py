"""Paths on disk, which start from the folder of the file they stand in."""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, ValidationInfo, WithJsonSchema

from auditor.plugins.settings import from_folder


def folder(info: ValidationInfo) -> Path:
    """What relative paths start from; nothing is added for a configuration made in Python."""
    return Path((info.context or {}).get("folder", ""))


def _path(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str | Path):
        raise ValueError(f"found {value!r}: expected a path on disk")  # noqa: TRY004 - pydantic's
    return from_folder(str(value), folder(info))


OnDisk = Annotated[Path, BeforeValidator(_path), WithJsonSchema({"type": "string"})]
