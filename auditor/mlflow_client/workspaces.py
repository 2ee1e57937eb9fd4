"""Workspaces of an MLflow server: registries of teams that share it."""

import re
from collections.abc import Sequence

from auditor.errors import SourceError, UnreachableError
from auditor.mlflow_client import LONGEST, connect, redact, translated

ALL = "*"
NAME = re.compile(r"[a-z0-9][-a-z0-9]{0,61}[a-z0-9]")  # as the server has it


def is_workspace(name: str) -> bool:
    """Whether it can be the name of a workspace, or stands for all of them."""
    return name == ALL or NAME.fullmatch(name) is not None


def across(patterns: Sequence[str]) -> tuple[str, ...]:
    """Patterns of model names for every workspace; one that names a workspace is for that one.

    >>> across(["digits-*", "!scratch", "team-a:*"])
    ('*:digits-*', '!*:scratch', 'team-a:*')
    """
    return tuple(
        one if ":" in one else f"!*:{one[1:]}" if one.startswith("!") else f"*:{one}"
        for one in patterns
    )


def available(uri: str, wanted: Sequence[str]) -> tuple[list[str], list[str]]:
    """Workspaces of a server that are wanted and there, and those that are not there.

    Raises
    ------
    SourceError
        If the server has none, or does not answer.
    """
    client = connect(uri)
    try:
        with translated(uri, "listing its workspaces"):
            found = sorted(str(workspace.name) for workspace in client.list_workspaces())
    except UnreachableError:
        raise
    except SourceError as error:
        raise SourceError(
            f"{str(error)[:LONGEST]}; `workspaces` in config.yaml needs a server that was started "
            f"with --enable-workspaces, which {redact(uri)} may not be"
        ) from error
    names = [name for name in found if name in wanted or ALL in wanted]
    return names, sorted({*wanted} - {*found, ALL})
