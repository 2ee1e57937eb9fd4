"""How waivers stand on a day: in force, about to end, expired; and which cover nothing."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase

from auditor.policies.said import Said, Written
from auditor.policy import covers
from auditor.records import Finding, Severity, Waiver

SOON = timedelta(days=30)  # then somebody should look, before what is waived gates again

Findings = Mapping[str, Collection[tuple[str, str | None]]]  # model -> (check, layer)


class State(StrEnum):
    """Where a waiver is in its life."""

    IN_FORCE = "in force"
    ENDING = "ends soon"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Standing:
    """A waiver on a day."""

    written: Written
    policy: str  # name of the policy, or of the floor, that it is a waiver of
    state: State
    days: int  # that it still holds, the day itself not counted; negative once it expired
    stale: bool | None  # whether it covers nothing any more; None where nothing was audited

    @property
    def sentence(self) -> str:
        """How it stands, in words."""
        waiver = self.written.waiver
        if self.state == State.EXPIRED:
            said = f"expired on {waiver.expires:%Y-%m-%d}: what it covered gates again"
        else:
            said = f"holds until {waiver.expires:%Y-%m-%d}, {_days(self.days)} more"
        return f"{said}; it covers nothing any more" if self.stale else said


def standing(
    layers: Sequence[Said], today: date, found: Findings | None = None
) -> tuple[Standing, ...]:
    """Every waiver of a policy and its floors, those that need somebody first.

    Parameters
    ----------
    layers
        The policy, and the floors under it.
    today
        The day, in UTC.
    found
        Of each model that was audited, what the newest audit of its newest version found;
        None or empty where nothing was audited.
    """
    stood = (
        _stood(written, layer.name, today, found) for layer in layers for written in layer.waivers
    )
    return tuple(sorted(stood, key=lambda one: one.written.waiver.expires))


def waived(layers: Sequence[Said]) -> set[str]:
    """The checks, and limits on metrics, that waivers are for."""
    return {written.waiver.check for layer in layers for written in layer.waivers}


def remark(stood: Sequence[Standing]) -> str:
    """What a person should know of the waivers, in one line; empty where all are well."""
    parts = [
        f"{count} {state}"
        for state in (State.EXPIRED, State.ENDING)
        if (count := sum(one.state == state for one in stood))
    ]
    if stale := sum(bool(one.stale) for one in stood):
        parts.append(f"{stale} covering nothing any more")
    return f"waivers: {', '.join(parts)}; auditor policy waivers lists them" if parts else ""


def _stood(written: Written, policy: str, today: date, found: Findings | None) -> Standing:
    left = written.waiver.expires - today
    state = State.ENDING if left <= SOON else State.IN_FORCE
    return Standing(
        written=written,
        policy=policy,
        state=state if left >= timedelta(0) else State.EXPIRED,
        days=left.days,
        stale=not any(_covered(written.waiver, found)) if found else None,
    )


def _covered(waiver: Waiver, found: Findings) -> Iterator[bool]:
    for series, findings in found.items():
        if fnmatchcase(series, waiver.model):
            for check, layer in findings:
                yield covers(waiver, Finding(Severity.INFO, "", check=check, layer=layer))


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"
