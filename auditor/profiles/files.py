"""Profiles as files: written wholly, read as what a stranger wrote."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from auditor.config.models import PROFILE, PROFILE_NAME, Config
from auditor.errors import ConfigError, UsageError, translate
from auditor.profiles.families import Family, Member
from auditor.records import Band, Profile
from auditor.whole_files import whole

FOLDER = "profiles"  # in `Config.data`
LARGEST = 16 * 1024**2  # bytes; one of a thousand audits has some hundred thousand
FORM = 1

Text = Annotated[str, Field(max_length=4000)]
Count = Annotated[int, Field(ge=0, le=2**53)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Band(_Part):
    n: Count
    p5: Number
    median: Number
    p95: Number

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.p5 <= self.median <= self.p95:
            raise ValueError("expected p5 ≤ median ≤ p95")
        return self


class _Member(_Part):
    source: Text
    model: Text
    version: Text
    audit: Text
    weights: Text


class _Content(_Part):
    """What a digest is of."""

    name: Annotated[str, Field(pattern=f"^{PROFILE_NAME.pattern}$")]
    metric_set: Count
    convention: Text
    modules: tuple[Text, ...]
    audits: tuple[_Member, ...]
    bands: dict[Text, dict[Text, _Band]]


class _File(_Content):
    auditor_profile: Literal[1]
    digest: Text
    made_at: AwareDatetime


def place(name: str, data: Path) -> Path:
    """Where the profile of a name is.

    Raises
    ------
    UsageError
        If it is no name for one.
    """
    if not PROFILE_NAME.fullmatch(name):
        raise UsageError(f"{name[:80]!r} is no name for a profile; expected a-z, 0-9, - _ .")
    return data / FOLDER / f"{name}.json"


def configured(config: Config) -> tuple[Family, ...]:
    """The profiles that the configured selectors name, in their order.

    Raises
    ------
    ConfigError
        If one is not there, or is none.
    """
    named = [one.removeprefix(PROFILE) for one in config.baseline if one.startswith(PROFILE)]
    return tuple(read(place(name, config.data)) for name in dict.fromkeys(named))


def write(found: Family, at: datetime, path: Path) -> Family:
    """Write a profile down; it with its digest.

    Raises
    ------
    ConfigError
        If it cannot be written.
    """
    content = _Content(
        name=found.profile.name,
        metric_set=found.metric_set,
        convention=found.convention,
        modules=found.modules,
        audits=tuple(_Member(**asdict(one)) for one in found.members),
        bands={
            kind: {name: _Band(**asdict(band)) for name, band in columns.items()}
            for kind, columns in found.profile.bands.items()
        },
    )
    said = content.model_dump(mode="json")
    digest = _digest(said)
    made = {"auditor_profile": FORM, "digest": digest, "made_at": at.isoformat(), **said}
    with translate(OSError, to=ConfigError, doing=f"writing the profile to {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as file:
            file.write(json.dumps(made, allow_nan=False, indent=1).encode() + b"\n")
    return replace(found, profile=replace(found.profile, digest=digest))


def read(path: Path) -> Family:
    """The profile in a file.

    Raises
    ------
    ConfigError
        If there is none, or it is damaged, or was changed by hand.
    """
    again = f"build it again with auditor profile build {path.stem}"
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise ConfigError(f"there is no profile at {path}; {again.replace(' again', '')}") from None
    except OSError as error:
        raise ConfigError(f"no profile can be read at {path}: {error.strerror}; {again}") from error
    if len(text) > LARGEST:
        raise ConfigError(f"{path} is larger than any profile; {again}")
    try:
        found = _File.model_validate_json(text)
    except (ValidationError, RecursionError) as error:
        raise ConfigError(f"{path} is no profile: {_why(error)}; {again}") from error
    said = found.model_dump(mode="json", include=set(_Content.model_fields))
    if _digest(said) != found.digest:
        raise ConfigError(f"{path} was changed since it was built; {again}")
    return _family(found)


def _family(found: _File) -> Family:
    bands = {
        kind: {name: Band(**dict(band)) for name, band in columns.items()}
        for kind, columns in found.bands.items()
    }
    profile = Profile(found.name, found.digest, len(found.audits), bands)
    members: Sequence[Member] = [Member(**dict(one)) for one in found.audits]
    return Family(profile, found.modules, found.metric_set, found.convention, tuple(members))


def _digest(said: dict[str, Any]) -> str:
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _why(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return "it is nested too deeply"
    first = error.errors()[0]
    where = ".".join(re.sub(r"[^\w#. -]", "?", str(part))[:40] for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]
