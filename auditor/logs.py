"""What happens, as lines on stderr: for people on a terminal, for machines as JSON.

Code logs with the standard library: ``log.info("…", extra={"event": "audit.done", …})``. The
names of events are listed in ``docs/operations.md``. What a line says may come from strangers
and may hold secrets: it is kept on one line, short, and without any secret known here.
"""

import logging
import math
import os
import re
import sys
import threading
from collections.abc import Mapping, MutableMapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

if TYPE_CHECKING:
    from structlog.stdlib import ProcessorFormatter

log = logging.getLogger(__name__)

Form = Literal["auto", "text", "json"]

OURS = "auditor"
LIBRARY = "library"  # the event of a line that no code of ours wrote
LONGEST = 2000  # characters of a value that is logged
LONGEST_TRACEBACK = 20_000  # one of a deep recursion is larger
SHORTEST_SECRET = 6  # characters: to hide shorter ones would blank ordinary words
STARS = "***"
SECRET_NAMES = re.compile(r"TOKEN|SECRET|PASSW|API_?KEY|ACCESS_?KEY|CREDENTIAL", re.IGNORECASE)
SECRETS = (  # what looks like a secret wherever it stands, and what is left of it
    (re.compile(r"(?<!\bhf)://[^/\s@]+@"), f"://{STARS}@"),
    (re.compile(r"(?i)\b(authorization\W{1,4}(?:basic\s+|bearer\s+)?)[^\s'\",]+"), rf"\1{STARS}"),
    (re.compile(r"(?i)\b(bearer\s+)[\w.~+/=-]{8,}"), rf"\1{STARS}"),
    (re.compile(r"\bhf_[A-Za-z0-9]{16,}"), f"hf_{STARS}"),
    (
        re.compile(
            # from the beginning of a word, and not far: hostile text costs no more than its length
            r"(?i)(?<![\w-])([\w-]{0,40}(?:signature|credential|token|secret|passw\w{0,9}"
            r"|api_?key|access_?key)|sig)=[^&\s'\"]+"
        ),
        rf"\1={STARS}",
    ),
)
MOST_DEEP = 3  # levels of a value that is logged; deeper ones are shown as text

_hidden: set[str] = set()


def set_up(level: int = logging.INFO, form: Form = "auto") -> None:
    """Send every log line to stderr: those of ours from `level`, of libraries from WARNING.

    Called again, the new choice counts. A program that has set up its own logging keeps it.

    Parameters
    ----------
    level
        As `logging` has it.
    form
        ``text`` for people, ``json`` for machines, one object a line; ``auto``: text where
        stderr is a terminal.
    """
    root = logging.getLogger()
    others = [handler for handler in root.handlers if not isinstance(handler, _Lines)]
    if others:
        return
    root.handlers.clear()
    as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    root.addHandler(_Lines(level, as_json=as_json))
    root.setLevel(level)
    logging.captureWarnings(capture=True)
    threading.excepthook = _crashed
    os.environ.setdefault("MLFLOW_CONFIGURE_LOGGING", "false")
    adopt()


def louder(level: int) -> None:
    """Log from a milder level on, where `set_up` set up the logging of this program."""
    root = logging.getLogger()
    for handler in root.handlers:
        if isinstance(handler, _Lines):
            handler.least = min(handler.least, level)
            root.setLevel(handler.least)


def adopt() -> None:
    """Let the lines of libraries go where all others go; some bring a handler of their own.

    Call it once what brings them was imported. Where `set_up` did not set up the logging of
    this program, nothing is changed.
    """
    if not any(isinstance(handler, _Lines) for handler in logging.getLogger().handlers):
        return
    for found in list(logging.Logger.manager.loggerDict.values()):
        if isinstance(found, logging.Logger) and _has_own_way(found):
            found.propagate = True
            found.handlers.clear()


def _has_own_way(logger: logging.Logger) -> bool:
    """Whether it writes somewhere; one that is to say nothing has a handler that does nothing."""
    return any(not isinstance(handler, logging.NullHandler) for handler in logger.handlers)


def hide(*secrets: str) -> None:
    """Never show these values in a log line, nor in what `redacted` gives."""
    found = {secret.strip() for secret in secrets}
    long_enough = {secret for secret in found if len(secret) >= SHORTEST_SECRET}
    _hidden.update(long_enough, (quote(secret, safe="") for secret in long_enough))


def hide_secrets_of(*parts: object) -> None:
    """Never show what these objects hold and leave out of their own `repr`: it is secret."""
    for part in parts:
        own = fields(part) if is_dataclass(part) else ()
        values = (getattr(part, one.name) for one in own if not one.repr)
        hide(*(value for value in values if isinstance(value, str)))


def redacted(text: str) -> str:
    """The text without known secrets, and without what looks like one.

    Examples
    --------
    >>> redacted("cannot reach postgresql://auditor:pa55@db/auditor?sslpassword=x")
    'cannot reach postgresql://***@db/auditor?sslpassword=***'
    """
    for secret in sorted(_hidden, key=len, reverse=True):
        text = text.replace(secret, STARS)
    for pattern, left in SECRETS:
        text = pattern.sub(left, text)
    return text


def one_line(text: str, longest: int = LONGEST) -> str:
    r"""Text for a log: no secrets, no control characters, no line ends, not too long.

    Examples
    --------
    >>> one_line("red\x1b[31m\nteam")
    'red�[31m�team'
    """
    safe = redacted(text[: 10 * longest])  # a secret that is cut in two would not be found
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in safe)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


class _Lines(logging.StreamHandler[Any]):
    """The one handler; what it needs to write a line is imported with the first one."""

    def __init__(self, level: int, *, as_json: bool) -> None:
        super().__init__()
        self.least = level
        self._as_json = as_json
        self._formatter: ProcessorFormatter | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        ours = record.name.partition(".")[0] == OURS
        return record.levelno >= (self.least if ours else max(self.least, logging.WARNING))

    def format(self, record: logging.LogRecord) -> str:
        if self._formatter is None:
            _from_environment()
            self._formatter = _formatter(as_json=self._as_json)
        try:
            record.getMessage()
        except (TypeError, ValueError):  # a library's arguments do not fit its own sentence
            record.args = ()
        return self._formatter.format(record)


def _crashed(args: threading.ExceptHookArgs) -> None:
    """A thread that ended by a bug says so where everything else is said."""
    if args.exc_type is not SystemExit and args.exc_value is not None:
        info = (args.exc_type, args.exc_value, args.exc_traceback)
        name = args.thread.name if args.thread else "?"
        log.critical("thread %s: a bug", name, exc_info=info, extra={"event": "thread.crashed"})


def _from_environment() -> None:
    """What this process was given as a secret is one."""
    hide(*(value for name, value in os.environ.items() if SECRET_NAMES.search(name)))


def _formatter(*, as_json: bool) -> "ProcessorFormatter":
    from structlog.contextvars import merge_contextvars  # noqa: PLC0415 - with the first line
    from structlog.processors import JSONRenderer  # noqa: PLC0415
    from structlog.stdlib import ExtraAdder, ProcessorFormatter  # noqa: PLC0415

    render = JSONRenderer(ensure_ascii=True, allow_nan=False) if as_json else _readable
    return ProcessorFormatter(
        foreign_pre_chain=[merge_contextvars, _message, ExtraAdder()],
        processors=[_line, render],
    )


Said = MutableMapping[str, Any]


def _message(_logger: object, _method: str, said: Said) -> Said:
    """Make room: for `structlog` the text is the event, for us an event has a name."""
    return {"message": said.pop("event"), **said}


def _line(_logger: object, _method: str, said: Said) -> Said:
    """What a line says, in the order people look for it."""
    record: logging.LogRecord = said.pop("_record")
    raised = said.pop("exc_info", None)
    for key in ("_from_structlog", "stack_info", "color_message", "taskName"):
        said.pop(key, None)
    line: Said = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "event": said.pop("event", LIBRARY),
        "message": said.pop("message"),
        "logger": record.name,
    }
    line.update((key, value) for key, value in said.items() if key not in line)
    shown = {one_line(key, 100): _shown(value) for key, value in line.items()}
    if isinstance(raised, tuple) and raised[1] is not None:
        shown["exception"] = _traceback(raised)
    return shown


def _shown(value: object, depth: int = 0) -> object:
    """A value as it may be logged: every text in it on one line and without secrets."""
    if isinstance(value, Mapping) and depth < MOST_DEEP:
        return {one_line(str(key), 100): _shown(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and depth < MOST_DEEP:
        return [_shown(item, depth + 1) for item in value]
    if value is None or type(value) in {bool, int}:
        return value
    finite = isinstance(value, float) and math.isfinite(value)  # JSON has no other numbers
    return value if finite else one_line(str(value))


def _traceback(raised: Any) -> str:  # noqa: ANN401 - as `logging` keeps it
    """The traceback, its lines one by one as harmless as any other text."""
    text = redacted(logging.Formatter().formatException(raised))
    shown = "\n".join(one_line(line) for line in text.splitlines())
    return shown[-LONGEST_TRACEBACK:]  # what went wrong is said in the end


def _readable(_logger: object, _method: str, line: Said) -> str:
    """A line for people: when, how bad, what; then what else is known."""
    told = {"time", "level", "event", "message", "logger", "exception"}
    when = str(line["time"])[:19].replace("T", " ")
    where = line["logger"] if line["event"] == LIBRARY else line["event"]
    more = " ".join(f"{key}={value}" for key, value in line.items() if key not in told)
    head = f"{when} {str(line['level']).upper()} {where}: {line['message']}"
    text = f"{head} ({more})" if more else head
    return f"{text}\n{line['exception']}" if "exception" in line else text
