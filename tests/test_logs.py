"""The log: one form for every line, no secrets in it, and a page that has every event."""

import ast
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.logs import LONGEST, one_line, redacted
from tests.test_docs import ROOT, rows, section

few = settings(deadline=None, derandomize=True, max_examples=60)

LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
EVENT = re.compile(r"[a-z]+\.[a-z]+")
LIBRARY = "library"  # of lines that no code of ours wrote


def run(code: str, form: str = "json", **environ: str) -> tuple[list[str], str]:
    """Lines that a program leaves on stderr, and its stdout."""
    start = f"import logging, sys\nfrom auditor import logs\nlogs.set_up(logging.INFO, {form!r})\n"
    done = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", start + code],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin", **environ},
        cwd=ROOT,
    )
    return done.stderr.splitlines(), done.stdout


def test_a_line_is_one_json_object_with_what_is_known():
    code = """
from structlog.contextvars import bound_contextvars
log = logging.getLogger("auditor.room")
with bound_contextvars(source="mlflow", version="3"):
    log.info("%s: %s", "digits", "PASS", extra={"event": "audit.done", "seconds": 1.5})
log.warning("later", extra={"event": "audit.failed", "time": "x", "level": float("nan")})
"""
    first, second = (json.loads(line) for line in run(code)[0])
    assert list(first)[:5] == ["time", "level", "event", "message", "logger"]
    assert re.fullmatch(r"20..-..-..T..:..:..\.\d{3}\+00:00", first.pop("time"))
    assert first == {
        "level": "info",
        "event": "audit.done",
        "message": "digits: PASS",
        "logger": "auditor.room",
        "source": "mlflow",
        "version": "3",
        "seconds": 1.5,
    }
    assert (second["level"], "source" in second) == ("warning", False)


def test_a_line_for_people_has_the_same():
    code = """
log = logging.getLogger("auditor.room")
log.info("digits: PASS", extra={"event": "audit.done", "seconds": 1.5})
"""
    ((line,), _) = run(code, "text")
    assert line[20:] == "INFO audit.done: digits: PASS (seconds=1.5)"


def test_without_a_terminal_the_form_is_json():
    ((line,), _) = run('logging.getLogger("auditor").info("hello", extra={"event": "a.b"})', "auto")
    assert json.loads(line)["message"] == "hello"


@pytest.mark.parametrize("form", ["json", "text"])
def test_secrets_of_the_environment_are_in_no_line(form):
    code = """
import os
log = logging.getLogger("auditor.room")
for name, value in os.environ.items():
    log.info("%s=%s", name, value, extra={"event": "a.b", "value": [{"deep": value}], value: 1})
    try:
        raise ValueError(value)
    except ValueError:
        log.exception("bug", extra={"event": "a.b"})
"""
    secrets = {
        "HF_TOKEN": "hf_abcdefghijklmnopqrstuvwxyz",
        "MLFLOW_TRACKING_PASSWORD": "pa55w0rd/with&signs",
        "OUR_API_KEY": "0123456789abcdef",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG",
    }
    shown = "\n".join(run(code, form, **secrets)[0])
    assert shown.count("***") >= 4 * len(secrets)
    assert not [secret for secret in secrets.values() if secret in shown]


def test_secrets_that_parts_were_given_are_in_no_line():
    code = """
from auditor.sources.hub import Hub
hub = Hub(repos=("org/name",), token="t0ps3cret-token", webhook_secret="another0ne")
logs.hide_secrets_of(hub)
said = "t0ps3cret-token another0ne org/name"
logging.getLogger("auditor").info(said, extra={"event": "a.b"})
"""
    ((line,), _) = run(code)
    assert json.loads(line)["message"] == "*** *** org/name"


def test_hostile_text_stays_on_its_line_and_is_bounded():
    code = r"""
log = logging.getLogger("auditor.room")
said = "x\n{\"event\": \"forged\"}\x1b[31m" + "a" * 100_000
log.info(said, extra={"event": "a.b", "d": "\ud800"})
"""
    ((line,), _) = run(code)
    told = json.loads(line)
    assert told["event"] == "a.b"
    assert len(told["message"]) == LONGEST
    assert told["message"].isprintable()


def test_libraries_speak_in_the_same_form_and_only_of_trouble():
    code = """
import warnings
other = logging.getLogger("their.room")
other.addHandler(logging.StreamHandler(sys.stdout))
other.propagate = False
logs.adopt()
other.info("chatter")
other.warning("trouble at https://user:pass@host/?sig=abc")
other.warning("%d of two", "not a number")
warnings.warn("old")
"""
    lines, stdout = run(code)
    told = [json.loads(line) for line in lines]
    assert [one["event"] for one in told] == [LIBRARY] * 3
    assert told[0]["message"] == "trouble at https://***@host/?sig=***"
    assert told[1]["message"] == "%d of two"
    assert "UserWarning: old" in told[2]["message"]
    assert stdout == ""


def test_a_bug_in_a_thread_is_a_line_with_its_traceback():
    code = """
import threading

thread = threading.Thread(target=lambda: 1 / 0, name="worker")
thread.start()
thread.join()
"""
    ((line,), _) = run(code)
    told = json.loads(line)
    assert (told["event"], told["level"]) == ("thread.crashed", "critical")
    assert "ZeroDivisionError" in told["exception"]


def test_a_service_logs_more_than_other_commands():
    code = """
logs.set_up(logging.ERROR, "json")
logging.getLogger("auditor").info("before", extra={"event": "a.b"})
logs.louder(logging.INFO)
logging.getLogger("auditor").info("after", extra={"event": "a.b"})
logging.getLogger("other").info("never")
"""
    ((line,), _) = run(code)
    assert json.loads(line)["message"] == "after"


def test_a_program_that_has_its_own_logging_keeps_it():
    code = """
root = logging.getLogger()
root.handlers[:] = [logging.StreamHandler(sys.stdout)]
logs.set_up(logging.DEBUG, "json")
logs.adopt()
logging.getLogger("auditor").warning("mine", extra={"event": "a.b"})
"""
    assert run(code) == ([], "mine\n")


SECRET = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789", min_size=12, max_size=40)
FORMS = (
    "postgresql://auditor:{}@db/auditor",
    "https://{}@host/path",
    "Authorization: Bearer {}",
    "'Authorization': 'Basic {}'",
    "https://bucket/x?X-Amz-Signature={}&y=1",
    "token={}",
    "password={} and more",
    "hf_{}abcd",
)


@few
@given(secret=SECRET, form=st.sampled_from(FORMS))
def test_what_looks_like_a_secret_is_not_shown(secret, form):
    assert secret not in one_line("failed: " + form.format(secret))


@pytest.mark.parametrize(
    "part", ["a-_", "://", "://a", "bearer ", "token", "passw", "hf_a", "sig="]
)
def test_long_hostile_text_takes_no_longer_than_other_text(part):
    text = part * 300_000  # an expression that tries every beginning would take hours
    assert len(one_line(text)) == LONGEST or "***" in one_line(text)


@pytest.mark.parametrize(
    "text",
    [
        "hf://org/name@main",
        "hf://gpt2@main is gated",
        "models:/digits@champion",
        "mlflow:digits@3: PASS",
        "password: is required and not there",
        "https://host/path?name=x",
        "sqlite:////srv/auditor.db",
    ],
)
def test_ordinary_text_stays_as_it_is(text):
    assert redacted(text) == text


# --- events -------------------------------------------------------------------------------


@cache
def logged() -> list[tuple[str, str, set[str]]]:
    """Where a line is logged, by which method, with which names of events."""
    return [
        (f"{path.name}:{node.lineno}", node.func.attr, set(_events(node, path)))
        for path in sorted((ROOT / "auditor").rglob("*.py"))
        if "log." in path.read_text(encoding="utf-8")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_log(node)
    ]


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _is_log(call: ast.Call) -> bool:
    called = call.func
    return (
        isinstance(called, ast.Attribute)
        and called.attr in LEVELS
        and isinstance(called.value, ast.Name)
        and called.value.id == "log"
    )


def _events(call: ast.Call, path: Path) -> Iterator[str]:
    """Names of events in what is said besides the text, also where that has a name."""
    for keyword in (one for one in call.keywords if one.arg == "extra"):
        scope: list[ast.AST] = [keyword.value]
        if isinstance(keyword.value, ast.Name):
            scope = [*ast.walk(parsed(path))]
            scope = [one for one in scope if _assigns(one, keyword.value.id)]
        for part in scope:
            for node in ast.walk(part):
                if isinstance(node, ast.Constant) and EVENT.fullmatch(str(node.value)):
                    yield str(node.value)


def _assigns(node: ast.AST, name: str) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else []
    return any(isinstance(one, ast.Name) and one.id == name for one in targets)


FORWARDED = {"serving.py"}  # what the reading process has logged keeps the event it has there


def documented() -> dict[str, list[str]]:
    listed = rows(section(ROOT / "docs" / "operations.md", "Logs"))
    return {event: row for event, row in listed.items() if event != "event"}


def test_every_line_has_an_event():
    without = [where for where, _, events in logged() if not events]
    assert [where for where in without if where.split(":")[0] not in FORWARDED] == []


def test_the_page_lists_every_event_with_its_levels_and_no_other():
    found: dict[str, set[str]] = {}
    for _, method, events in logged():
        for event in events:
            found.setdefault(event, set()).add({"exception": "error"}.get(method, method))
    listed = {event: set(row[0].split(", ")) for event, row in documented().items()}
    listed.pop(LIBRARY)
    assert listed == found


def test_logging_levels_are_those_of_the_standard_library():
    assert all(logging.getLevelName(level.upper()) for level in LEVELS - {"exception", "log"})
