"""The door: every request is checked here before a route sees it.

Who asks, by which name, how much it brings and how long it takes. What is not let in costs
neither memory nor a thread. This is the one file that speaks ASGI itself.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auditor.config.service import Server
from auditor.web.refusals import HEADERS, refusal
from auditor.web.tokens import ANYBODY, LOCAL, Caller, Keys

PATIENCE = 10.0  # seconds for the whole of a request to arrive; honest ones take milliseconds
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
READING = frozenset({"GET", "HEAD", "OPTIONS"})
LONGEST_TOKEN = 512  # characters; ours have 47
CLOSE = {"Connection": "close"}  # the rest of what is refused is not waited for


@dataclass(frozen=True, slots=True)
class Rules:
    """Who is let in, and with how much."""

    keys: Keys | None  # None: whoever is on this machine may do everything
    names: frozenset[str]  # of the host, as clients may call it; empty: any
    max_body: int  # bytes
    patience: float  # seconds

    @classmethod
    def of(cls, server: Server, patience: float = PATIENCE) -> "Rules":
        """What a configuration means.

        Raises
        ------
        ConfigError
            If its file of tokens cannot be used.
        """
        own = urlsplit(server.url or "").hostname
        named = {f"[{own}]" if ":" in own else own} if own else set()
        return cls(
            keys=Keys(server.tokens) if server.tokens else None,
            names=frozenset() if server.is_open else LOOPBACK_NAMES | named,
            max_body=server.max_body,
            patience=patience,
        )

    def caller(self, headers: Headers) -> Caller | None:
        """Who sent these headers; None where a token is missing or wrong."""
        if self.keys is None:
            return LOCAL
        scheme, _, text = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not text or len(text) > LONGEST_TOKEN:
            return None
        return self.keys.caller(text.strip())


def is_public(path: str) -> bool:
    """Whether no token is asked for: signs of life, and webhooks, which are signed."""
    return path == "/healthz" or path.startswith("/webhooks/")


class Door:
    """Lets requests in, or answers them itself."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self.app = app
        self.rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request, read all of it, and hand it on."""
        if scope["type"] != "http":
            return  # there are no websockets here, and nothing to start or end
        refused = self._refused(scope)
        if refused is not None:
            await refused(scope, receive, send)
            return
        body = await self._body(receive)
        if isinstance(body, Response):
            await body(scope, receive, send)
        elif body is not None:
            await self.app(scope, _again(body, receive), _guarded(send))

    def _refused(self, scope: Scope) -> Response | None:
        """None where the head of a request is in order."""
        headers = Headers(scope=scope)
        if self.rules.names and _name(headers.get("host", "")) not in self.rules.names:
            sentence = "this host name is not served; ask localhost, or set server.url"
            return refusal(403, sentence, CLOSE)
        caller = ANYBODY if is_public(scope["path"]) else self.rules.caller(headers)
        if caller is None:
            sentence = "found no valid token; send Authorization: Bearer and a token"
            return refusal(401, sentence, CLOSE | {"WWW-Authenticate": "Bearer"})
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if scope["method"] not in READING and kind != "application/json":
            return refusal(415, "send Content-Type: application/json", CLOSE)
        scope.setdefault("state", {})["caller"] = caller
        return None

    async def _body(self, receive: Receive) -> bytes | Response | None:
        """All of a request's body; why it is not taken; None where the sender went away.

        What is too long is read to its end, and dropped: most senders listen only then.
        """
        kept, size, most = [], 0, self.rules.max_body
        too_long = refusal(413, f"the body is longer than {most} bytes (server.max_body)", CLOSE)
        with anyio.move_on_after(self.rules.patience):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                size += len(message.get("body", b""))
                if size <= most:
                    kept.append(message.get("body", b""))
                if not message.get("more_body"):
                    return b"".join(kept) if size <= most else too_long
        late = refusal(408, f"the body took longer than {self.rules.patience:g} s", CLOSE)
        return late if size <= most else too_long


def _name(host: str) -> str:
    """The name in a Host header, without the port."""
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].lower()


def _again(body: bytes, receive: Receive) -> Receive:
    """Hand out a body that was read already; then what else comes."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


def _guarded(send: Send) -> Send:
    """Add what every answer carries; a route's own headers stay."""

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return guarded
