"""The gate: against a service that audits, and against what else may answer."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from pathlib import Path
from queue import SimpleQueue

import pytest

from auditor.app import now
from auditor.cli import run
from auditor.config import load
from auditor.config.service import Server
from auditor.errors import UsageError
from auditor.gate import Service, Standing, Waiting, gate
from auditor.service import serve
from auditor.wall.process import here
from auditor.web import create, listening
from auditor.web.tokens import Role, add
from tests import models as made
from tests.ledger.makers import START, audited
from tests.web.houses import Asked, house, models, served

PATIENCE = 120.0  # seconds until what must happen counts as never happening


@pytest.fixture(scope="module")
def service(tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """`auditor serve` on a folder: its address, and where versions are put."""
    root = tmp_path_factory.mktemp("service")
    for number, changed in enumerate(({}, {"fc2.weight": made.collapsed()}), start=1):
        made.write(root / "models" / "net" / str(number), made.weights(**changed), day=number)
    config = load(made.config(root, server="{port: 0}", ledger="sqlite:///auditor.db"))
    address: SimpleQueue[str] = SimpleQueue()
    stop = threading.Event()
    thread = threading.Thread(
        target=serve, args=(config, stop, address.put), kwargs={"execute": here}
    )
    thread.start()
    try:
        yield address.get(timeout=PATIENCE), root / "models"
    finally:
        stop.set()
        thread.join(PATIENCE)


def at(folder: Path, number: int) -> str:
    return str(folder / "net" / str(number))


# --- a service that audits --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "more", "code", "said"),
    [
        (1, [], 0, "PASS net 1"),
        (2, [], 1, "BLOCK net 2"),
        (2, ["--fail-on", "never"], 0, "BLOCK"),
    ],
)
def test_the_verdict_is_waited_for_and_is_the_exit_code(service, capsys, number, more, code, said):
    url, folder = service
    assert run(["gate", at(folder, number), "--server", url, *more]) == code
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith(said)
    assert out[1].startswith(f"  {url}/reports/")


def test_json_is_what_the_service_said_and_nothing_else(service, capsys):
    url, folder = service
    assert run(["gate", at(folder, 2), "--server", url + "/", "--json"]) == 1
    out, error = capsys.readouterr()
    found = json.loads(out)
    assert (found["verdict"], found["exit_code"], found["settled"]) == ("BLOCK", 1, True)
    assert error == ""


def test_a_version_put_there_this_moment_gets_its_verdict(service):
    url, folder = service
    made.write(folder / "late" / "1", made.weights(7), day=3)
    states: list[str] = []
    waiting = Waiting(PATIENCE, tell=lambda found, _: states.append(found.state))
    found = gate(Service(url), str(folder / "late" / "1"), waiting)
    assert found.verdict in {"PASS", "REVIEW"}
    assert set(states) <= {"pending", "running"}


@pytest.mark.parametrize("ref", ["models:/net/1", "/nowhere", "net"])
def test_a_version_nobody_knows_is_a_line_and_2(service, capsys, ref):
    assert run(["gate", ref, "--server", service[0]]) == 2
    assert f"{ref}: no source has such a version" in capsys.readouterr().err


# --- a service that is told when to do what ---------------------------------------------------


@pytest.fixture
def idle(tmp_path) -> Iterator[Asked]:
    """Nobody audits here."""
    with house(tmp_path, models(tmp_path)) as found, served(found) as running:
        yield running


def first(asked: Asked) -> str:
    return f"{asked.house.config.sources[0].settings['root']}/models/net/1"


def audit(asked: Asked) -> None:
    """What a worker comes to."""
    of = asked.house.sources["folder"].resolve(first(asked), None)
    assert of is not None
    asked.house.ledger.save(of, audited(of), sinks=[], at=START)


def steps(*actions: Callable[[], object]) -> Waiting:
    """While the gate sleeps, this happens, one thing each time; its clock counts the sleeps."""
    waiting, naps = iter(actions), count()

    def sleep(_: float) -> None:
        next(waiting, lambda: None)()

    return Waiting(60.0, tell=lambda *_: None, clock=lambda: next(naps), sleep=sleep)


def test_it_is_asked_for_once_and_waited_for(idle):
    seen: list[Standing] = []
    waiting = steps(lambda: None, partial(audit, idle))
    waiting = Waiting(9.0, lambda found, _: seen.append(found), waiting.clock, waiting.sleep)
    assert gate(Service(idle.url), first(idle), waiting).verdict == "PASS"
    assert [(found.state, found.given["priority"]) for found in seen] == [("pending", "asked")] * 2
    assert idle.nudged.is_set()


def test_a_version_that_has_its_verdict_is_not_audited_again(idle):
    audit(idle)
    assert gate(Service(idle.url), first(idle), steps()).verdict == "PASS"
    assert not idle.nudged.is_set()


def test_a_new_audit_under_way_is_waited_for(idle):
    audit(idle)
    idle.post("/api/v1/audits", {"ref": first(idle), "again": True})
    happened: list[str] = []
    waiting = steps(lambda: happened.append("slept"), partial(audit, idle))
    assert gate(Service(idle.url), first(idle), waiting).verdict == "PASS"
    assert happened == ["slept"]


@pytest.mark.parametrize(
    ("wait", "said"),
    [("1s", "no verdict on"), ("1s", "within 1 s, it is pending; wait longer"), ("soon", "--wait")],
)
def test_no_verdict_in_time_is_a_line_and_2(idle, capsys, wait, said):
    assert run(["gate", first(idle), "--server", idle.url, "--wait", wait]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert said in line


@pytest.mark.parametrize("end", ["gone", "refused"])
def test_a_version_that_cannot_be_audited_says_why(idle, end):
    of = idle.house.sources["folder"].resolve(first(idle), None)
    with pytest.raises(UsageError, match=rf"no verdict, it is {end}: because"):
        gate(
            Service(idle.url),
            first(idle),
            steps(lambda: getattr(idle.house.ledger, end)(of, "because")),
        )


def test_a_service_that_is_away_for_a_while_is_asked_again(tmp_path):
    with house(tmp_path, models(tmp_path)) as found, ExitStack() as running:
        asked = running.enter_context(served(found))
        port = int(asked.url.rpartition(":")[2])
        back = Server(port=port)
        waiting = steps(
            running.close,
            partial(audit, asked),
            lambda: running.enter_context(listening(create(found), back)),
        )
        assert gate(Service(asked.url), first(asked), waiting).verdict == "PASS"


# --- tokens -----------------------------------------------------------------------------------


@pytest.fixture
def locked(tmp_path) -> Iterator[tuple[Asked, dict[Role, str]]]:
    path = tmp_path / "tokens.json"
    texts = {role: add(path, role.name, role, now()) for role in Role if role}
    with house(tmp_path, models(tmp_path), tokens=path) as found, served(found) as running:
        yield running, texts


def test_the_token_comes_from_the_environment_or_a_file(locked, tmp_path, capsys, monkeypatch):
    asked, texts = locked
    audit(asked)
    arguments = ["gate", first(asked), "--server", asked.url]
    assert run(arguments) == 2
    assert "asks for a token: set AUDITOR_TOKEN, or --token-file" in capsys.readouterr().err
    monkeypatch.setenv("AUDITOR_TOKEN", texts[Role.READ])
    assert run(arguments) == 0
    monkeypatch.setenv("AUDITOR_TOKEN", "wrong")
    (tmp_path / "token").write_text(texts[Role.READ] + "\n")
    assert run([*arguments, "--token-file", str(tmp_path / "token")]) == 0
    out, error = capsys.readouterr()
    assert texts[Role.READ] not in out + error


@pytest.mark.parametrize("content", [b"a\nb", b"\xff", "é".encode()])
def test_a_token_that_is_none_is_a_line_and_2(locked, tmp_path, capsys, content):
    (tmp_path / "token").write_bytes(content)
    path = str(tmp_path / "token")
    assert run(["gate", "x", "--server", locked[0].url, "--token-file", path]) == 2
    assert "token" in capsys.readouterr().err


def test_a_token_that_may_only_read_waits_for_what_is_in_the_queue_and_asks_for_nothing(locked):
    asked, texts = locked
    reader = Service(asked.url, texts[Role.READ])
    with pytest.raises(UsageError, match="is unknown, and this token may only read"):
        gate(reader, first(asked), steps())
    Service(asked.url, texts[Role.ENQUEUE]).enqueue(first(asked))
    assert gate(reader, first(asked), steps(partial(audit, asked))).verdict == "PASS"


def test_a_token_is_shown_nowhere():
    assert "secret" not in repr(Service("http://127.0.0.1:9", "secret"))


# --- what else may answer ---------------------------------------------------------------------


@contextmanager
def answering(status: int, body: bytes, **headers: str) -> Iterator[tuple[str, list[str]]]:
    """A server that always says the same, and notes the tokens it is given."""
    given: list[str] = []

    class Same(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given.append(self.headers.get("Authorization", ""))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Same) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", given
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"[]", b"{}", b"null", b'{"state": 1}', b"\xff", b'"' + b"x" * 10_000 + b'"'],
)
def test_what_is_no_service_of_ours_is_said_to_be_none(body):
    with answering(200, body) as (url, _), pytest.raises(UsageError, match="is no auditor serve"):
        gate(Service(url), "x", steps())


def test_a_token_goes_to_nobody_else():
    with (
        answering(200, b"{}") as (elsewhere, given),
        answering(302, b"", Location=elsewhere) as (url, _),
    ):
        with pytest.raises(UsageError, match="status 302"):
            gate(Service(url, "secret"), "x", steps())
        assert given == []


def test_passwords_of_a_netrc_do_not_take_the_tokens_place(tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with answering(200, b"{}") as (url, given):
        for token in ("mine", None):
            with pytest.raises(UsageError):
                gate(Service(url, token), "x", steps())
    assert given == ["Bearer mine", ""]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:9", "nothing answers at http://127.0.0.1:9; start auditor serve"),
        ("127.0.0.1:9", "cannot be asked"),
        ("ftp://127.0.0.1", "cannot be asked"),
        ("http://", "cannot be asked"),
        ("http://[::1", "cannot be asked"),
        ("http://user:secret@127.0.0.1:9/", "nothing answers at http://127.0.0.1:9;"),
        ("http://user:secret@:9", "cannot be asked"),
    ],
)
def test_an_address_where_nothing_answers_is_a_line_and_2(capsys, url, said):
    assert run(["gate", "models:/net/1", "--server", url]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert said in line
    assert "secret" not in line


def test_hostile_words_of_a_server_are_shown_as_text(capsys):
    with answering(404, json.dumps({"error": "\x1b[31mred\n" + "x" * 9999}).encode()) as (url, _):
        assert run(["gate", "models:/net/1", "--server", url]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "\x1b" not in line
    assert len(line) < 1000


def test_without_a_server_the_configured_one_is_asked(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for server, asked in (
        ("{port: 9}", "http://127.0.0.1:9"),
        ("{host: 0.0.0.0, port: 9, tokens: t.json}", "http://127.0.0.1:9"),
        ("{host: '::', port: 9, tokens: t.json}", "http://[::1]:9"),
        ("{port: 1, url: 'http://localhost:9'}", "http://localhost:9"),
    ):
        made.config(tmp_path, server=server)
        assert run(["gate", "models:/net/1"]) == 2
        assert f"nothing answers at {asked};" in capsys.readouterr().err
