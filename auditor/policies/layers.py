"""A policy on its floors: what a project says, and what its organisation asks of everybody.

A floor is a policy of its own that every version has to pass too. It is named in the
configuration (``floor:``), and in the variable ``AUDITOR_FLOOR`` of the machine that audits, where
the configuration is the project's own; both hold. No policy is without them, not one named
on the command line either. What a floor looks at has to be measured; and where the variable
names it, the analysis may be more than the usual one and nothing else.
"""

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime

from auditor.config import Config
from auditor.errors import ConfigError
from auditor.policies.loading import said
from auditor.policies.measured import loosened, unmeasured
from auditor.policies.said import Said
from auditor.policy import Policy

FLOOR = "AUDITOR_FLOOR"


def configured(config: Config, name: str | None = None, today: date | None = None) -> Policy:
    """The policy that a configuration asks for, on its floors.

    Parameters
    ----------
    config
        Names policy and floor.
    name
        Another policy in the place of the configured one, by preset or path; the floors stay.
    today
        From when on a waiver may hold 180 days; the day it is in UTC where it is None.

    Raises
    ------
    ConfigError
        If one of them does not fit; one line a problem, of all of them together.
    """
    top, *floors = layers(config, name, today)
    below = None
    for layer in reversed(floors):
        below = layer.policy(floor=below)
    return top.policy(floor=below)


def layers(
    config: Config,
    name: str | None = None,
    today: date | None = None,
    environ: Mapping[str, str] = os.environ,
) -> tuple[Said, ...]:
    """What the policy says, then what each floor under it says, the lowest one last.

    Raises
    ------
    ConfigError
        As by `configured`.
    """
    day = today or datetime.now(UTC).date()
    asked = [(config.policy if name is None else name, "")]
    for floor, by in ((config.floor, ""), (environ.get(FLOOR), f"{FLOOR}: ")):
        if floor and floor not in [known for known, _ in asked[1:]]:
            asked.append((floor, by))
    found, wrong = [], []
    for i, (one, by) in enumerate(asked):
        try:
            found.append(said(one, day))
        except ConfigError as error:
            wrong += [by + line for line in str(error).splitlines()]
        else:
            wrong += [by + line for line in _unseen(found[-1], config)] if i else []
    if environ.get(FLOOR):
        wrong += [f"{FLOOR}: {line}" for line in loosened(config.analysis)]
    if wrong:
        raise ConfigError("\n".join(dict.fromkeys(wrong)))
    return tuple(found)


def _unseen(floor: Said, config: Config) -> Iterator[str]:
    """What a floor looks at and nobody measures: it would pass without a look."""
    for sentence in unmeasured(floor.rules, config.analysis):
        yield f"floor {floor.name}: {sentence}"
