"""The floor plan, checked: who may import whom, and how big a file may grow."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "auditor"
FILES = sorted(path for path in ROOT.rglob("*.py") if "migrations" not in path.parts)

FLOORS = [  # a file may import from its own floor's rooms and from floors above it in this list
    {"records", "errors", "naming", "amounts", "exits"},
    {"spectral"},
    {"metrics", "checks", "changes", "transforms", "correlation", "audit", "policy"}
    | {"document", "stored", "schema"},
    {"config", "plugins", "policies", "render", "ledger", "executors", "estimates", "whole_files"}
    | {"weights", "architecture"},
    {"sources", "sinks", "mlflow_client", "hub_client", "file_cache"},
    {"measuring", "memory", "examining", "baselines", "pipeline", "planning", "wall"}
    | {"fetching", "rejudging", "profiles"},
    {"app", "refs", "single", "given", "api", "comparing", "tables", "transforming"}
    | {"backfilling", "deciding", "hooking", "reports", "logs", "steering", "exporting"}
    | {"explaining", "story", "replaying"},
    {"service", "web", "telling", "status", "gate", "callbacks"},
    {"cli", "demo", "doctor", "__main__"},
]
PURE = {
    "records",
    "naming",
    "amounts",
    "exits",
    "spectral",
    "metrics",
    "checks",
    "changes",
    "transforms",
    "correlation",
    "audit",
    "policy",
    "document",
    "stored",
    "schema",
}
NOT_PURE = {"os", "io", "socket", "subprocess", "time", "random"}
PURE_MAY = set(sys.stdlib_module_names) - NOT_PURE | {"numpy", "scipy", "auditor"}
INSIDE_FUNCTIONS = {"powerlaw"}  # slow to import: only the function that needs it pays
LONGEST = 300


def room(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "auditor":
            yield from (f"auditor.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def inner(tree: ast.AST) -> set[str]:
    """Modules that only functions import."""
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    return {name for function in functions for name in imports(function)}


def floor(name: str) -> int:
    return next(i for i, rooms in enumerate(FLOORS) if name in rooms)


def is_constant(name: str) -> bool:
    """``from auditor import METRIC_SET, __version__`` names values, not rooms."""
    return name.isupper() or name == "__version__"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_file_keeps_to_the_floor_plan(path):
    here = room(path)
    if here == "__init__":
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for name in imports(tree):
        top, _, rest = name.partition(".")
        there = rest.split(".")[0]
        if top == "auditor" and there not in {here, ""} and not is_constant(there):
            assert floor(there) <= floor(here), f"{here} must not import {there}"
        if here in PURE and top not in PURE_MAY:
            assert top in INSIDE_FUNCTIONS, f"{here} is pure but imports {top}"
            assert name in inner(tree), f"{top} must be imported inside the function using it"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_file_stays_readable_in_one_sitting(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_importing_the_package_loads_nothing_heavy():
    heavy = "numpy scipy torch mlflow huggingface_hub pandas transformers sqlalchemy typer"
    code = f"import sys, auditor; print([m for m in {heavy.split()} if m in sys.modules])"
    done = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
