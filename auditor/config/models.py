"""What a configuration may say, as frozen, fully checked objects."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    InstanceOf,
    ValidationInfo,
    WithJsonSchema,
)

from auditor.config.options import Options
from auditor.config.paths import OnDisk, folder
from auditor.config.section import Section
from auditor.config.service import Server, Size, Target
from auditor.config.units import duration
from auditor.plugins.building import Room, kinds
from auditor.plugins.place import Place, unknown
from auditor.plugins.settings import from_folder, located
from auditor.policy import PRESET_NAMES

LEDGERS = ("sqlite", "postgresql", "postgres")  # kinds of database; a driver may follow with +
PREVIOUS = "previous"
BASE_MODEL = "base_model"  # which the card of a Hub repository names
ALIAS = "alias:"
PINNED = "sha256:"  # and the digest of weights, or how it begins
PROFILE = "profile:"
PROFILE_NAME = re.compile("[a-z0-9][a-z0-9_.-]{0,63}")  # which is the name of a file, too
SHORTEST_PIN = 12  # digits of a digest: fewer may fit another one by chance


def _ledger(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str) or "://" not in value:
        raise ValueError("expected a database URL such as sqlite:///auditor.db")
    kind = value.partition("://")[0].partition("+")[0]
    if kind not in LEDGERS:
        raise ValueError(  # the rest of the address may hold a password
            f"found a database of kind {kind!r}: expected sqlite:///FILE or "
            "postgresql+psycopg://USER@HOST/DATABASE"
        )
    return located(value, folder(info))


def _policy(value: object, info: ValidationInfo) -> object:
    """A file's path is anything that looks like one; what is left is a preset's name."""
    if not isinstance(value, str) or not value:
        raise ValueError("expected the name of a preset or the path of a policy file")
    if value in PRESET_NAMES:
        return value
    if "/" not in value and not value.endswith((".yaml", ".yml")):
        raise ValueError(unknown(value, PRESET_NAMES, what="preset"))
    path = from_folder(value, folder(info))
    if not path.is_file():
        raise ValueError(f"no policy file {path}; give its path, or the name of a preset")
    return str(path)


def _floor(value: object, info: ValidationInfo) -> object:
    return None if value is None else _policy(value, info)


def _selector(value: object) -> object:
    """One way to find the version to compare with."""
    text = value if isinstance(value, str) else ""
    if text.startswith(PINNED):
        return _pin(text)
    if text.startswith(PROFILE):
        return _of_a_profile(text)
    named = text.startswith(ALIAS) and text != ALIAS
    if text in {PREVIOUS, BASE_MODEL} or named or ("/" in text and not text.startswith(ALIAS)):
        return text
    known = [PREVIOUS, BASE_MODEL, f"{ALIAS}champion", PINNED, PROFILE]
    near = get_close_matches(text, known, n=1)
    guess = f"; did you mean {near[0]}?" if near else ""
    raise ValueError(
        f"found {value!r}: expected previous, base_model, alias:NAME, sha256:DIGEST, "
        f"profile:NAME or a REF with a /{guess}"
    )


def _pin(text: str) -> str:
    digest = text.removeprefix(PINNED)
    if not re.fullmatch(f"[0-9a-fA-F]{{{SHORTEST_PIN},64}}", digest):
        raise ValueError(
            f"found {text[:80]!r}: expected sha256: and {SHORTEST_PIN} to 64 hexadecimal digits, "
            "the digest of weights as a report shows it"
        )
    return text.lower()


def _of_a_profile(text: str) -> str:
    if not PROFILE_NAME.fullmatch(text.removeprefix(PROFILE)):
        raise ValueError(f"found {text[:80]!r}: expected profile: and its name, of a-z, 0-9, - _ .")
    return text


def _keep(value: object) -> object:
    try:
        return value if value == "forever" else duration(value)
    except ValueError as error:
        raise ValueError(f"{error}; or forever") from error


def _or_auto(parse: Callable[[object], Any]) -> Callable[[object], Any]:
    return lambda value: value if value == "auto" else parse(value)


def _workers(value: object) -> int:
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise ValueError(f"found {value!r}: expected a number of threads from 1, or auto")
    return int(text)


@dataclass(frozen=True, slots=True)
class Plugin:
    """A source or a sink as configured: its kind, its settings, and where they stand."""

    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    place: Place = field(default_factory=Place)


def _plugin_of(room: Room) -> Callable[[object], object]:
    def plugin(value: object) -> object:
        if isinstance(value, Plugin):
            return value
        there = f"there are: {', '.join(kinds(room))}"
        if not isinstance(value, dict):
            raise ValueError(f"expected a mapping with a kind and its settings ({there})")  # noqa: TRY004 - pydantic asks for ValueError
        kind = value.get("kind")
        if not isinstance(kind, str):
            raise ValueError(f"has no kind ({there})")  # noqa: TRY004 - as above
        if kind not in kinds(room):
            raise ValueError(f"kind {kind}: {unknown(kind, kinds(room), what='kind')}")
        return Plugin(kind, {key: item for key, item in value.items() if key != "kind"})

    return plugin


def _some(given: tuple[Plugin, ...]) -> tuple[Plugin, ...]:
    if not given:
        raise ValueError("found none: expected at least one")
    return given


ANY = WithJsonSchema({})  # `schema` puts the kinds there
Source = Annotated[InstanceOf[Plugin], BeforeValidator(_plugin_of("sources")), ANY]
Sink = Annotated[InstanceOf[Plugin], BeforeValidator(_plugin_of("sinks")), ANY]
AUTO: Mapping[str, Any] = {"const": "auto"}
Workers = Annotated[
    Literal["auto"] | int,
    BeforeValidator(_or_auto(_workers)),
    WithJsonSchema({"anyOf": [AUTO, {"type": "integer", "minimum": 1}]}),
]
Wall = Annotated[
    Literal["auto"] | float,
    BeforeValidator(_or_auto(duration)),
    WithJsonSchema({"anyOf": [AUTO, {"type": "string"}]}),
]
Keep = Annotated[
    Literal["forever"] | float,
    BeforeValidator(_keep),
    WithJsonSchema({"type": "string"}),
]


Selector = Annotated[str, BeforeValidator(_selector)]


class Limits(Section):
    """How much of this machine an audit may use."""

    memory: Size = Field(
        default=8 * 1024**3, description="Bytes for the layers in work, such as 8GiB."
    )
    disk: Size = Field(
        default=50 * 1024**3, description="Bytes of fetched files kept, such as 50GiB."
    )
    cache: Size = Field(
        default=20 * 1024**3, description="Bytes of measurements and spectra kept, such as 20GiB."
    )
    wall: Wall = Field(
        default="auto",
        description="Time an audit may take: auto, several times what is planned, or such as 2h.",
    )
    workers: Workers = Field(
        default="auto", description="Layers measured at once: auto, or a number."
    )
    audits: Workers = Field(
        default="auto",
        description="Versions examined at once: auto, by cores and memory, or a number.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto",
        description="Where eigenvalues are computed: auto is cuda where torch sees a GPU.",
    )


def _default_sinks(before: Mapping[str, Any]) -> tuple[Plugin, ...]:
    """Reports as files, and each MLflow registry that is watched gets its own results."""
    sources: tuple[Plugin, ...] = before.get("sources", ())
    watched = [source for source in sources if source.kind == "mlflow"]
    results = (Plugin("mlflow", shared(source), source.place) for source in watched)
    return Plugin("files"), *results


def shared(source: Plugin) -> dict[str, Any]:
    """What a sink needs of an MLflow source to write to it: its address and its name."""
    keys = ("uri", "uri_file", "name")
    return {key: source.settings[key] for key in keys if key in source.settings}


class Config(Section):
    """The whole of config.yaml. Paths are absolute once it was loaded from a file."""

    ledger: Annotated[str, BeforeValidator(_ledger)] = Field(
        default="sqlite:///auditor.db",
        description="URL of the database that remembers every audit.",
    )
    data: OnDisk = Field(
        default=Path(".auditor"), description="Folder for fetched files and spectra."
    )
    reports: OnDisk = Field(
        default=Path("reports"), description="Folder the reports are written to."
    )
    policy: Annotated[str, BeforeValidator(_policy)] = Field(
        default="observe", description="Name of a preset, or path of a policy file."
    )
    floor: Annotated[str | None, BeforeValidator(_floor)] = Field(
        default=None,
        description="A policy that every version has to pass too, whatever the policy says.",
    )
    baseline: tuple[Selector, ...] = Field(
        default=(f"{ALIAS}champion", PREVIOUS),
        description="What a version is compared with: the first of these that exists.",
    )
    sources: Annotated[tuple[Source, ...], AfterValidator(_some)] = Field(
        description="The places to watch.", json_schema_extra={"minItems": 1}
    )
    sinks: Annotated[tuple[Sink, ...], AfterValidator(_some)] = Field(
        default_factory=_default_sinks,
        description="Where audits go; left out: to files, and to every MLflow registry watched.",
        json_schema_extra={"minItems": 1},
    )
    analysis: Options = Field(
        default=Options(), description="What is measured of every layer, and how."
    )
    limits: Limits = Field(default=Limits(), description=str(Limits.__doc__))
    server: Server = Field(default=Server(), description=str(Server.__doc__))
    notify: tuple[Target, ...] = Field(
        default=(), description="Who is told when something changes."
    )
    keep: Keep = Field(
        default="forever",
        description="How long audits that a newer one of their version replaced, and what was "
        "delivered, are kept: such as 90d, or forever.",
    )
