import socket
import threading

import pytest
import requests

from auditor.config.service import Server
from auditor.errors import ConfigError
from auditor.web import create, listening
from tests.web.houses import PATIENCE, house, served


@pytest.fixture
def app(tmp_path):
    with house(tmp_path) as found:
        yield create(found)


@pytest.mark.wide
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_a_free_port_is_taken_and_the_address_given(app, host):
    with listening(app, Server(host=host, port=0)) as url:
        assert url.startswith(("http://127.0.0.1:", "http://[::1]:"))
        assert requests.get(url + "/openapi.json", timeout=60).status_code == 200


def test_a_port_in_use_is_a_sentence(app):
    with listening(app, Server(port=0)) as url:
        port = int(url.rpartition(":")[2])
        with (
            pytest.raises(ConfigError, match=f"port {port} is in use.*server.port"),
            listening(app, Server(port=port)),
        ):
            pass


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_somebody_else_is_a_sentence(app, host, tmp_path):
    server = Server(host=host, tokens=tmp_path / "tokens.json")
    with pytest.raises(ConfigError, match="cannot listen on"), listening(app, server):
        pass


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "auditor.example"])  # noqa: S104
def test_others_can_reach_it_only_with_tokens(app, host):
    with (
        pytest.raises(ConfigError, match=r"server\.tokens.*auditor token add"),
        listening(app, Server(host=host, port=0)),
    ):
        pass


def test_it_stops_with_clients_still_connected_and_frees_the_port(tmp_path):
    with house(tmp_path) as found:
        with served(found) as running:
            port = int(running.url.rpartition(":")[2])
            idle = socket.create_connection(("127.0.0.1", port))
            begun = socket.create_connection(("127.0.0.1", port))
            begun.sendall(b"POST /x HTTP/1.1\r\nHost: localhost\r\n")
            assert running.get("/nowhere").status_code == 404
        with idle, begun:
            assert "auditor-web" not in [thread.name for thread in threading.enumerate()]
            with listening(create(found), Server(port=port)) as again:
                assert requests.get(again + "/nowhere", timeout=60).status_code == 404


def test_whoever_takes_no_answer_holds_no_connection(tmp_path):
    """Asking again and again without reading kept one of 200 connections for ever."""
    ask = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with house(tmp_path) as found, served(found, PATIENCE) as running:
        host, port = running.url.removeprefix("http://").split(":")
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            client.settimeout(60)
            client.connect((host, int(port)))
            with pytest.raises((ConnectionError, BrokenPipeError)):  # noqa: PT012 - a loop
                while True:
                    client.sendall(ask)
        assert running.get("/healthz").json() == {"alive": True}
