"""What ``auditor serve`` is told: where it listens, whom it tells, how long it keeps audits."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from auditor.config.paths import OnDisk
from auditor.config.section import Section
from auditor.config.units import duration, size

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def _clock(value: object) -> str:
    hours, _, minutes = str(value).partition(":")
    fits = len(minutes) == 2 and (hours + minutes).isdigit() and (hours + minutes).isascii()
    if not fits or int(hours) > 23 or int(minutes) > 59:
        raise ValueError(f"found {value!r}: expected a time of the day such as 08:00, in quotes")
    return f"{int(hours):02}:{minutes}"


def _web(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError(f"found {value!r}: expected an address such as https://auditor.example")
    return value


Size = Annotated[int, BeforeValidator(size), WithJsonSchema({"type": ["integer", "string"]})]
Duration = Annotated[float, BeforeValidator(duration), WithJsonSchema({"type": "string"})]
Pause = Annotated[
    float,
    BeforeValidator(lambda value: duration(value) if isinstance(value, str) else value),
    Field(ge=0),
    WithJsonSchema({"type": ["number", "string"]}),
]
Clock = Annotated[str, BeforeValidator(_clock), WithJsonSchema({"type": "string"})]
Web = Annotated[
    str, AfterValidator(_web), WithJsonSchema({"type": "string", "pattern": "^https?://"})
]


class Server(Section):
    """Where ``auditor serve`` listens, and who may ask it."""

    host: str = Field(default="127.0.0.1", min_length=1, description="Address it listens on.")
    port: int = Field(default=8765, ge=0, le=65535, description="Port; 0 takes a free one.")
    tokens: OnDisk | None = Field(
        default=None,
        description="File of those who may ask it, made by `auditor token add`; required where "
        "`host` is not this machine alone.",
    )
    url: Web | None = Field(
        default=None, description="Address people reach it at, for links in messages."
    )
    max_body: Size = Field(
        default=1 << 20, description="Bytes a request may have; a webhook has a few thousand."
    )

    @property
    def is_open(self) -> bool:
        """Whether others than this machine can reach it."""
        return self.host not in LOOPBACK

    @property
    def address(self) -> str:
        """Where to ask it: `url`, else as this machine reaches it."""
        own = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - asked
        return self.url or f"http://{f'[{own}]' if ':' in own else own}:{self.port}"


class Target(Section):
    """People who are told when something changes."""

    name: str = Field(min_length=1, description="What it goes by in logs and the ledger.")
    url: str | None = Field(
        default=None,
        repr=False,
        description="Where to, as apprise has it: slack://…, msteams://…, mailto://…",
    )
    url_file: OnDisk | None = Field(default=None, description="File whose text is the url.")
    models: tuple[str, ...] = Field(
        default=("*",), description="Patterns of the models it is told of; `!` leaves out."
    )
    least: Literal["info", "warning", "failure"] = Field(
        default="info", description="The mildest it is told of."
    )
    digest: Clock | None = Field(
        default=None, description="Time of the day, UTC, of a summary, where anything happened."
    )

    @model_validator(mode="after")
    def _one_address(self) -> "Target":
        if (self.url is None) == (self.url_file is None):
            raise ValueError("expected one of url and url_file")
        return self
