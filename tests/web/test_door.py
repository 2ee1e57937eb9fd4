"""What is let in, asked over real sockets."""

import socket
from collections.abc import Iterator

import pytest
import requests

from auditor.app import now
from auditor.errors import ConfigError
from auditor.web import create
from auditor.web.refusals import HEADERS
from auditor.web.tokens import Role, add, remove
from tests.web.houses import PATIENCE, Asked, house, models, served

pytestmark = pytest.mark.wide

KIND = {"Content-Type": "application/json"}


@pytest.fixture
def tokens(tmp_path):
    """A file of tokens with one of each role, and their texts."""
    path = tmp_path / "tokens.json"
    return path, {role: add(path, role.name, role, now()) for role in Role if role}


@pytest.fixture
def locked(tmp_path, tokens) -> Iterator[Asked]:
    """A server that asks for tokens."""
    with house(tmp_path, models(tmp_path), tokens=tokens[0]) as found, served(found) as running:
        yield running


def bearer(text: str) -> dict[str, dict[str, str]]:
    return {"headers": {"Authorization": f"Bearer {text}"}}


def connected(asked: Asked) -> socket.socket:
    host, _, port = asked.url.removeprefix("http://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=60)


def raw(asked: Asked, sent: bytes) -> bytes:
    """All that comes back for some bytes."""
    with connected(asked) as connection:
        connection.sendall(sent)
        return b"".join(iter(lambda: connection.recv(65536), b""))


# --- who --------------------------------------------------------------------------------------

READS = ["/api/v1/versions", "/api/v1/queue", "/api/v1/problems", "/api/v1/status"]
ADMIN = ["/api/v1/sources/folder/run", "/api/v1/sources/folder/pause", "/api/v1/retry"]


@pytest.mark.parametrize(
    ("role", "expected"),
    [(Role.READ, (200, 403, 403)), (Role.ENQUEUE, (200, 202, 403)), (Role.ADMIN, (200, 202, 200))],
)
def test_each_role_may_do_what_those_below_it_may(locked, tokens, tmp_path, role, expected):
    read, enqueue, admin = expected
    mine = bearer(tokens[1][role])
    ref = {"ref": str(tmp_path / "models" / "net" / "1")}
    assert {locked.get(path, **mine).status_code for path in READS} == {read}
    assert locked.post("/api/v1/audits", ref, **mine).status_code == enqueue
    assert {locked.post(path, **mine).status_code for path in ADMIN} == {admin}


def test_who_changed_something_is_in_the_log(locked, tokens, caplog):
    caplog.set_level("INFO")
    locked.post("/api/v1/sources/folder/pause", **bearer(tokens[1][Role.ADMIN]))
    locked.post("/api/v1/sources/folder/pause", **bearer(tokens[1][Role.READ]))
    locked.get("/api/v1/queue", **bearer(tokens[1][Role.READ]))
    said = [record.message for record in caplog.records if hasattr(record, "by")]
    assert said == ["ADMIN: POST /api/v1/sources/folder/pause"]
    assert "aud_" not in caplog.text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer aud_" + "A" * 43},
        {"Authorization": "Basic {token}"},
        {"Authorization": "{token}"},
        {"Authorization": "Bearer {token}x"},
        {"Authorization": "Bearer " + "x" * 10_000},
        {"X-Auditor-Token": "{token}"},
        {"Cookie": "token={token}"},
    ],
    ids=str,
)
def test_without_a_valid_token_nothing_is_said(locked, tokens, headers):
    mine = {name: value.format(token=tokens[1][Role.ADMIN]) for name, value in headers.items()}
    for path in [*READS, "/openapi.json", "/metrics", "/nowhere", "/"]:
        answer = locked.get(path, headers=mine)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert "token" in answer.json()["error"]


def test_a_token_in_the_address_is_none(locked, tokens):
    text = tokens[1][Role.ADMIN]
    assert locked.get(f"/api/v1/queue?token={text}&access_token={text}").status_code == 401


def test_a_token_taken_back_is_refused_by_the_running_server(locked, tokens):
    path, texts = tokens
    assert locked.get("/api/v1/queue", **bearer(texts[Role.READ])).status_code == 200
    remove(path, "READ")
    assert locked.get("/api/v1/queue", **bearer(texts[Role.READ])).status_code == 401
    assert locked.get("/api/v1/queue", **bearer(texts[Role.ADMIN])).status_code == 200


def test_a_file_of_tokens_that_is_not_there_ends_the_start(tmp_path):
    with (
        house(tmp_path, tokens=tmp_path / "none.json") as found,
        pytest.raises(ConfigError, match="auditor token add"),
    ):
        create(found)


def test_webhooks_ask_for_their_signature_and_not_for_a_token(locked):
    assert locked.post("/webhooks/mlflow").status_code == 403  # no source has a secret here
    assert "token" not in locked.post("/webhooks/mlflow").json()["error"]


# --- by which name ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST:8765", "127.0.0.1:1"]
)
def test_this_machine_is_served_by_its_own_names(asked, name):
    assert asked.get("/api/v1/queue", headers={"Host": name}).status_code == 200


@pytest.mark.parametrize("name", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", ""])
def test_other_names_are_refused_so_that_no_page_can_rebind_its_own(asked, name):
    answer = asked.get("/api/v1/queue", headers={"Host": name})
    assert answer.status_code == 403
    assert "host name" in answer.json()["error"]


def test_the_name_people_reach_it_at_is_served(tmp_path):
    with house(tmp_path, url="https://auditor.example/base") as found, served(found) as running:
        for name, status in (("auditor.example", 200), ("localhost", 200), ("x.example", 403)):
            answer = running.get("/api/v1/queue", headers={"Host": name})
            assert answer.status_code == status


# --- from whose page --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", None])
def test_what_a_foreign_page_can_send_changes_nothing(asked, kind):
    headers = {"Content-Type": kind} if kind else {}
    for path in ADMIN:
        answer = requests.post(asked.url + path, data=b"{}", headers=headers, timeout=60)
        assert answer.status_code == 415
    assert asked.house.ledger.sources() == []


def test_no_page_is_told_that_it_may_ask(asked):
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = requests.options(asked.url + ADMIN[0], headers=headers, timeout=60)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/queue", 200),
        ("GET", "/nowhere", 404),
        ("PUT", "/api/v1/queue", 405),
        ("GET", "/api/v1/queue?limit=x", 422),
        ("DELETE", "/api/v1/queue", 415),
    ],
)
def test_every_answer_is_json_and_stays_where_it_belongs(asked, method, path, status):
    headers = KIND if method == "PUT" else {}
    answer = requests.request(method, asked.url + path, headers=headers, timeout=60)
    assert answer.status_code == status
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert status == 200 or list(answer.json()) == ["error"]
    assert "server" not in {name.lower() for name in answer.headers}


@pytest.mark.parametrize(
    "path", ["/docs", "/redoc", "/api/v1/audits/../../etc/passwd", "/%2e%2e/x"]
)
def test_there_is_nothing_beside_what_is_listed(asked, path):
    assert asked.get(path).status_code == 404


# --- how much ---------------------------------------------------------------------------------


def test_a_body_of_the_longest_length_is_read_and_one_byte_more_is_not(tmp_path):
    with house(tmp_path, models(tmp_path), max_body=1000) as found, served(found) as running:
        fits, longer = (b"{" + b" " * (length - 2) + b"}" for length in (1000, 1001))
        url = running.url + "/api/v1/retry"
        assert requests.post(url, data=fits, headers=KIND, timeout=60).status_code == 200
        for data in (longer, iter([longer])):  # with Content-Length, and in chunks
            answer = requests.post(url, data=data, headers=KIND, timeout=60)
            assert answer.status_code == 413
            assert "server.max_body" in answer.json()["error"]


def test_a_body_without_end_is_cut_off(tmp_path):
    with house(tmp_path, max_body=1000) as found, served(found, PATIENCE) as running:
        head = b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        endless = head + b"Content-Length: 999999999\r\n\r\n" + b" " * 100_000
        assert b" 413 " in raw(running, endless).partition(b"\r\n")[0]


def test_a_body_that_trickles_in_is_refused(tmp_path):
    with house(tmp_path) as found, served(found, PATIENCE) as running:
        head = b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        assert b" 408 " in raw(running, head + b"Content-Length: 10\r\n\r\n{").partition(b"\r\n")[0]


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: loc", b"GET"])
def test_a_request_that_never_begins_is_closed(tmp_path, sent):
    with house(tmp_path) as found, served(found, PATIENCE) as running:
        assert raw(running, sent) == b""


def test_a_second_request_that_never_begins_is_closed_too(tmp_path):
    with house(tmp_path) as found, served(found, PATIENCE) as running, connected(running) as to:
        to.sendall(b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while not answer.endswith(b"}"):
            answer += to.recv(65536)
        assert answer.startswith(b"HTTP/1.1 404 ")
        to.sendall(b"GET /x HTTP/1.1\r\nHos")
        assert to.recv(65536) == b""


def test_headers_without_end_are_refused(asked):
    endless = b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: " + b"y" * 100_000
    answer = raw(asked, endless)
    assert answer.partition(b"\r\n")[0].endswith(b"400 Bad Request")


def test_what_is_not_http_is_refused(asked):
    assert b"400" in raw(asked, b"\x16\x03\x01\x00\xff\x01\r\n\r\n").partition(b"\r\n")[0]
