"""Who may ask the service: bearer tokens, of which only digests are kept."""

import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from secrets import token_urlsafe
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator, Field, PlainSerializer, ValidationError

from auditor.config.section import Section
from auditor.errors import ConfigError, UsageError, translate
from auditor.whole_files import whole

log = logging.getLogger(__name__)

PREFIX = "aud_"  # so that scanners for leaked secrets, and people, know what it is
BYTES = 32  # of randomness: nobody guesses 256 bits, so a plain digest is enough
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class Role(IntEnum):
    """What somebody may do; each may do what those before it may."""

    NOBODY = 0  # no token was asked for
    READ = 1
    ENQUEUE = 2
    DECIDE = 3
    ADMIN = 4


ROLES = tuple(role.name.lower() for role in Role if role > Role.NOBODY)


def role(name: str) -> Role:
    """The role of a name such as ``enqueue``.

    Raises
    ------
    UsageError
        If there is none.
    """
    if name not in ROLES:
        raise UsageError(f"no role {name!r}; there are: {', '.join(ROLES)}")
    return Role[name.upper()]


def _role(value: object) -> object:
    if not isinstance(value, str) or value not in ROLES:
        raise ValueError(f"expected a role: {', '.join(ROLES)}")
    return Role[value.upper()]


class Token(Section):
    """One who may ask: what is kept of a token."""

    name: str
    role: Annotated[Role, BeforeValidator(_role), PlainSerializer(lambda role: role.name.lower())]
    sha256: str = Field(pattern="^[0-9a-f]{64}$")  # of the token's text
    created: AwareDatetime


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what they may do."""

    name: str  # of the token
    role: Role


ANYBODY = Caller("anybody", Role.NOBODY)
LOCAL = Caller("this machine", Role.ADMIN)  # where no token is asked for


class _File(Section):
    tokens: tuple[Token, ...] = ()


def listed(path: Path) -> Sequence[Token]:
    """The tokens in a file, in the order they were added.

    Raises
    ------
    ConfigError
        If it is not there, cannot be read, or is no such file.
    """
    try:
        return _File.model_validate_json(path.read_bytes()).tokens
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path}: there is no file of tokens; make one with auditor token add"
        ) from error
    except OSError as error:
        raise ConfigError(f"{path}: the tokens cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise ConfigError(
            f"{path} is no file of tokens; make one with auditor token add, at another place"
        ) from error


def add(path: Path, name: str, role: Role, at: datetime) -> str:
    """Write a new token down and return its text, which is kept nowhere.

    Raises
    ------
    UsageError
        If somebody has the name, or it is no name.
    ConfigError
        If the file cannot be read or written.
    """
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for a token; expected letters, digits, . _ @ -")
    there = listed(path) if path.exists() else ()
    if any(token.name == name for token in there):
        raise UsageError(f"{path} has a token named {name}; remove it first, or take another name")
    text = PREFIX + token_urlsafe(BYTES)
    _write(
        path,
        [*there, Token.model_construct(name=name, role=role, sha256=_digest(text), created=at)],
    )
    return text


def remove(path: Path, name: str) -> None:
    """Forget a token: a running service refuses it from its next request on.

    Raises
    ------
    UsageError
        If nobody has the name.
    ConfigError
        If the file cannot be read or written.
    """
    there = listed(path)
    rest = [token for token in there if token.name != name]
    if len(rest) == len(there):
        names = ", ".join(token.name for token in there) or "none"
        raise UsageError(f"{path} has no token named {name!r}; there are: {names}")
    _write(path, rest)


@dataclass(slots=True)
class Keys:
    """The tokens of a file, read again whenever it changes."""

    path: Path
    _tokens: Sequence[Token] = field(default=(), init=False)
    _stamp: tuple[int, ...] = field(default=(), init=False)

    def __post_init__(self) -> None:
        """Read the file.

        Raises
        ------
        ConfigError
            As `listed`.
        """
        self._stamp, self._tokens = self._changed(), listed(self.path)

    def caller(self, text: str) -> Caller | None:
        """The bearer of a token; None where nobody has it.

        A file that cannot be read any more lets nobody in.
        """
        self._refresh()
        digest, found = _digest(text), None
        for token in self._tokens:  # all of them, so that the time tells nothing
            if compare_digest(token.sha256, digest):
                found = Caller(token.name, token.role)
        return found

    def _refresh(self) -> None:
        stamp = self._changed()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._tokens = listed(self.path)
        except ConfigError as error:
            self._tokens = ()
            log.error("%s; nobody is let in", error, extra={"event": "tokens.unreadable"})  # noqa: TRY400

    def _changed(self) -> tuple[int, ...]:
        """Differs once the file was written again; empty where there is none."""
        try:
            found = self.path.stat()
        except OSError:
            return ()
        return found.st_ino, found.st_mtime_ns, found.st_size


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _write(path: Path, tokens: Sequence[Token]) -> None:
    """Whole or not at all, and for its owner's eyes only."""
    text = json.dumps(_File(tokens=tuple(tokens)).model_dump(mode="json"), indent=1) + "\n"
    with translate(OSError, to=ConfigError, doing=f"writing the tokens to {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path, mode=0o600) as file:
            file.write(text.encode())
