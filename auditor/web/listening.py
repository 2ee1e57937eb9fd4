"""The server itself: a socket, and a thread that answers."""

import asyncio
import errno
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from auditor.config.service import Server
from auditor.errors import ConfigError
from auditor.web.door import PATIENCE

CONNECTIONS = 200  # at once: people, scrapers and gates of a whole team; more are told 503
MAX_HEAD = 16 * 1024  # bytes of a request's line and headers; a token and a name take hundreds
FINISHING = 3  # seconds that answers in flight have when the service stops
STOPPING = 5.0  # seconds until nobody waits for the thread any more


@contextmanager
def listening(app: FastAPI, server: Server, patience: float = PATIENCE) -> Iterator[str]:
    """Answer requests inside the ``with`` block; gives the address, ``http://127.0.0.1:8765``.

    Parameters
    ----------
    app
        From `create`.
    server
        Where to listen; port 0 takes a free one.
    patience
        Seconds until a connection that sends no request, or takes no answer, is closed.

    Raises
    ------
    ConfigError
        If others than this machine could ask and there is no file of tokens, or the address
        is not to be had.
    """
    if server.is_open and server.tokens is None:
        raise ConfigError(
            f"server.host is {server.host}, which others can reach: name a file of tokens as "
            "server.tokens and fill it with auditor token add, or listen on 127.0.0.1"
        )
    with _bound(server) as listener:
        running = uvicorn.Server(_settings(app, patience))
        thread = threading.Thread(
            target=running.run, args=([listener],), name="auditor-web", daemon=True
        )
        thread.start()
        try:
            yield _address(listener)
        finally:
            running.should_exit = True
            thread.join(STOPPING)


def _settings(app: FastAPI, patience: float) -> uvicorn.Config:
    impatient: Any = partial(Impatient, patience=patience)
    return uvicorn.Config(
        app,
        http=impatient,
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",  # whoever can connect could fill the log with warnings
        access_log=False,  # names of models are in its lines, and nobody asked for them
        server_header=False,
        proxy_headers=False,  # nothing here depends on who the client says it is
        limit_concurrency=CONNECTIONS,
        h11_max_incomplete_event_size=MAX_HEAD,
        timeout_graceful_shutdown=FINISHING,
    )


class Impatient(H11Protocol):
    """Closes connections that take too long to send a request's head, or to take an answer."""

    def __init__(self, *args: Any, patience: float, **others: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **others)
        self._patience = patience
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A request is expected from now on."""
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        """Part of a request: while its head is not whole, the time runs."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._relax()
        elif self._deadline is None:
            self._expect()

    def pause_writing(self) -> None:
        """As much as is kept for one client waits to be taken: the time runs."""
        super().pause_writing()
        self._unread = self.loop.call_later(self._patience, self.transport.abort)

    def resume_writing(self) -> None:
        """It was taken."""
        self._taken()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is expected any more."""
        self._relax()
        self._taken()
        super().connection_lost(exc)

    def _expect(self) -> None:
        self._deadline = self.loop.call_later(self._patience, self.transport.close)

    def _relax(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _taken(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None


@contextmanager
def _bound(server: Server) -> Iterator[socket.socket]:
    """A socket that takes connections at the configured address."""
    where = f"{server.host} port {server.port}"
    try:
        family, _, _, _, address = socket.getaddrinfo(
            server.host, server.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.create_server(address[:2], family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"{where} is in use, by another auditor serve perhaps; set server.port, or --port"
            ) from error
        raise ConfigError(
            f"cannot listen on {where}: {error.strerror}; check server.host and server.port"
        ) from error
    with listener:
        yield listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
