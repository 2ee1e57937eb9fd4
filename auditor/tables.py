"""The Python API: ``auditor.series(table, quality="...")`` sets metrics against quality."""

import csv
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from auditor.correlation import FEWEST, Relation, relate
from auditor.document import number
from auditor.errors import UsageError
from auditor.records import FloatArray

if TYPE_CHECKING:
    import pandas as pd

Columns = Mapping[str, Sequence[Any]]
SHOWN = 12  # names of columns in a message


@dataclass(frozen=True, slots=True)
class Relations:
    """How metrics go with reported quality over a table of models; no claim beyond it."""

    quality: str  # the column
    models: int  # that have a quality
    metrics: tuple[Relation, ...]

    @property
    def details(self) -> "pd.DataFrame":
        """A row per metric over all models (`group` is None), and one per metric and group.

        `is_reversed` says of the whole metric that its sign turns round within most groups.
        """
        import pandas as pd  # noqa: PLC0415 - slow to import, and only needed here

        return pd.DataFrame(self.rows())

    def rows(self) -> list[dict[str, Any]]:
        """The rows of `details` as mappings."""
        return [
            {"metric": of.metric, "group": group, **asdict(fit), "is_reversed": of.is_reversed}
            for of in self.metrics
            for group, fit in ((None, of.overall), *of.groups.items())
        ]

    def to_dict(self) -> dict[str, Any]:
        """What ``auditor series --json`` prints."""
        return {
            "quality": self.quality,
            "models": self.models,
            "metrics": [
                {
                    "metric": of.metric,
                    "is_reversed": of.is_reversed,
                    "overall": _plain(asdict(of.overall)),
                    "groups": {name: _plain(asdict(fit)) for name, fit in of.groups.items()},
                }
                for of in self.metrics
            ],
        }


def series(
    table: object,
    *,
    quality: str,
    metrics: Sequence[str] = (),
    groups: str | Sequence[str] = (),
) -> Relations:
    """Set the metrics of a table of models against their reported quality.

    For each metric a straight line, R², RMSE and Kendall's τ with p-values, over all models
    and within each group, and whether the sign turns round within groups.

    Parameters
    ----------
    table
        The path of a CSV file with one line of column names, a pandas DataFrame, or a mapping
        of names to columns: a row per model. Empty cells are left out.
    quality
        The column with accuracy, error or whatever was reported.
    metrics
        The columns to set against it. None: all others that hold numbers only.
    groups
        The column, or columns, that say which models belong together.

    Raises
    ------
    UsageError
        If the table cannot be read or lacks a column, a column that was named holds anything
        but numbers, or fewer than three models have a quality.
    """
    columns = _columns(table)
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        raise UsageError(f"found columns of {sorted(lengths)} cells; expected one length")
    by = (groups,) if isinstance(groups, str) else tuple(groups)
    for name in (quality, *metrics, *by):
        if name not in columns:
            raise UsageError(f"the table has no column {name!r}; it has {_few(list(columns))}")
    reported = _numbers(quality, columns[quality])
    models = int(np.count_nonzero(~np.isnan(reported)))
    if models < FEWEST:
        raise UsageError(f"{models} models have a {quality}; expected {FEWEST} or more")
    chosen = {name: _numbers(name, columns[name]) for name in metrics}
    kinds = list(zip(*(columns[name] for name in by), strict=True))
    return Relations(
        quality=quality,
        models=models,
        metrics=relate(
            reported,
            chosen or _numeric(columns, {quality, *by}),
            [" / ".join(map(str, kind)) for kind in kinds],
        ),
    )


def _columns(table: object) -> Columns:
    if isinstance(table, str | os.PathLike):
        return _from_csv(Path(table))
    if isinstance(table, Mapping):
        return {str(name): list(column) for name, column in table.items()}
    if hasattr(table, "columns") and hasattr(table, "iloc"):
        return {str(name): table[name].tolist() for name in table.columns}  # type: ignore[index]
    raise UsageError(
        f"found a {type(table).__name__}; expected the path of a CSV file, a DataFrame, or a "
        "mapping of names to columns"
    )


def _from_csv(path: Path) -> Columns:
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            names, *rows = list(csv.reader(lines, strict=True)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read as a CSV table: {error}") from error
    if not names or len(set(names)) < len(names):
        raise UsageError(f"{path}: expected a first line of column names, each once")
    rows = [row for row in rows if row]
    for place, row in enumerate(rows, start=1):
        if len(row) != len(names):
            raise UsageError(
                f"{path}: row {place} has {len(row)} cells, expected {len(names)} as in the "
                "first line"
            )
    return {name: [row[i] for row in rows] for i, name in enumerate(names)}


def _numbers(name: str, column: Sequence[Any]) -> FloatArray:
    """A column as numbers, ``nan`` where a cell is empty or not finite."""
    found = np.empty(len(column))
    for place, cell in enumerate(column):
        value = _number(cell)
        if value is None:
            raise UsageError(
                f"column {name!r}, row {place + 1}: found {str(cell)[:40]!r}, expected a number"
            )
        found[place] = value
    return found


def _number(cell: object) -> float | None:
    """A cell as a number, ``nan`` where it is empty, None where it is anything else."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return math.nan
    if isinstance(cell, bool | np.bool_):
        return None
    try:
        value = float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else math.nan


def _numeric(columns: Columns, others: set[str]) -> dict[str, FloatArray]:
    """Every further column that holds numbers only, and one at least."""
    found = {}
    for name, column in columns.items():
        cells = [_number(cell) for cell in column]
        values = np.array([cell for cell in cells if cell is not None], dtype=np.float64)
        if name not in others and len(values) == len(cells) and np.isfinite(values).any():
            found[name] = values
    if not found:
        raise UsageError(f"no column of {_few(list(columns))} holds numbers only; name one")
    return found


def _few(names: list[str]) -> str:
    shown = ", ".join(repr(name)[:40] for name in names[:SHOWN])
    return shown + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _plain(fit: dict[str, Any]) -> dict[str, Any]:
    """Numbers as JSON holds them."""
    return {name: number(value) for name, value in fit.items()}
