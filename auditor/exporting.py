"""What a ledger remembers, as JSON Lines for other programs."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from auditor.ledger import Ledger
from auditor.logs import redacted
from auditor.sinks.files import write_parts


def lines(ledger: Ledger) -> Iterator[str]:
    """One JSON object for each row, on a line of its own: its table, and its columns.

    Moments are in ISO 8601 and UTC. What looks like a password or a token is left out.
    """
    for table, values in ledger.rows():
        clean = {name: _plain(value) for name, value in values.items()}
        yield json.dumps({"table": table, **clean}, allow_nan=False) + "\n"


def export(ledger: Ledger, path: Path) -> int:
    """Write all `lines` to a file, whole or not at all; how many.

    Raises
    ------
    SinkError
        If the file cannot be written; what was there before is still there then.
    LedgerError
        If the ledger cannot be read to its end; the same.
    """
    count = 0

    def counted() -> Iterator[str]:
        nonlocal count
        for line in lines(ledger):
            count += 1
            yield line

    write_parts(path, counted())
    return count


def _plain(value: object) -> object:
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {redacted(str(key)): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value
