"""Where a run has come to: all that must not depend on how it was disturbed."""

import json
from pathlib import Path
from typing import Any

from tests.faults.daemon import documents, query


def state(root: Path) -> dict[str, Any]:
    """What ledger and reports of a folder hold, without times and places."""
    in_states = "SELECT state, count(*) FROM {} GROUP BY state ORDER BY state"
    files = sorted(str(path.relative_to(root)) for path in (root / "reports").rglob("*.*"))
    return {
        "audits": sorted((timeless(document, root) for document in documents(root)), key=str),
        "states": query(root, in_states.format("claims")),
        "deliveries": query(root, in_states.format("deliveries")),
        "files": files,
    }


def timeless(document: dict[str, Any], root: Path) -> dict[str, Any]:
    """A document without when it was made, where it lay, and the ids that follow from that."""
    text = json.dumps({k: v for k, v in document.items() if k not in {"timing", "id"}})
    return json.loads(text.replace(str(root), "ROOT"))  # type: ignore[no-any-return]


def partial(root: Path) -> list[str]:
    """What was left half-written: temporary files, reports that do not end, broken documents."""
    found = [path for path in root.rglob("*") if path.name.endswith((".tmp", ".part"))]
    reports = root / "reports"
    found += [path for path in reports.rglob("*.html") if not _ends(path)]
    found += [path for path in reports.rglob("*.json") if not _is_json(path)]
    return sorted(str(path.relative_to(root)) for path in found)


def _ends(page: Path) -> bool:
    return page.read_text(encoding="utf-8").rstrip().endswith("</html>")


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return True
