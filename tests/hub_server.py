"""A server on 127.0.0.1 that speaks the Hub's protocol, and ways to fill and to break it.

Two ports, as the Hub has two hosts: one answers the API and redirects, the other hands out
bytes to whoever has an address with a fresh signature. The real huggingface_hub client works
on it (``tests/sources/test_hub_server.py``). Every request is recorded with its headers and
the bytes that went out.

To make it fail, append to `Hub.faults`: a `Fault` strikes the next `times` requests of its
`at`. To say more of the protocol, add a route to `Api.do_GET`.
"""

import hashlib
import json
import socket
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from tests.hub_store import (
    EXPAND,
    Commit,
    Content,
    Repo,
    entry,
    is_text,
    listing,
    model,
    stamp,
    stated,
)

TOKEN = "hf_a-token-nobody-else-may-see"  # noqa: S105 - of a server that lives for one test
LIMITED = {"api": "api", "resolve": "resolvers"}  # what counts as which kind of request
NOW = struct.pack("ii", 1, 0)  # a connection that is closed so is reset
DATE = datetime(2026, 1, 1, tzinfo=UTC)


class Kind(StrEnum):
    """How a request goes wrong."""

    STATUS = "status"  # answered with `value`, and `headers`
    SILENCE = "silence"  # nothing comes for `value` seconds
    CUT = "cut"  # the body ends after `value` bytes
    CORRUPT = "corrupt"  # byte `value` of the file is another one
    WHOLE = "whole"  # a range is ignored
    SHIFTED = "shifted"  # another range than asked for
    PAGE = "page"  # HTML, as a proxy in between would answer
    RESET = "reset"  # the connection is reset


@dataclass
class Fault:
    """Strikes `times` requests to `at`, which is ``api``, ``resolve`` or ``cdn``, after `spare`."""

    at: str
    kind: Kind
    value: int = 0
    times: int = 1
    spare: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """A request, as it came."""

    at: str  # api, resolve or cdn
    path: str
    headers: Mapping[str, str]  # names in small letters


@dataclass
class Hub:
    """What the server holds, what it was asked, and what goes wrong next."""

    endpoint: str = ""
    cdn: str = ""
    repos: dict[str, Repo] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)  # old name -> new one
    allowed: dict[str, int] = field(default_factory=lambda: {"api": 100_000, "resolvers": 100_000})
    spent: Counter[str] = field(default_factory=Counter)  # of what is allowed
    resets: int = 295  # seconds until it is counted anew, which never comes
    faults: list[Fault] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    says: bytes | None = None  # what the API answers to everything
    between: list[Callable[[], object]] = field(default_factory=list)  # one after each listing
    onward: str = ""  # where the next page of a listing is said to be; empty: here
    fresh: float = 60.0  # seconds a signature is good for
    generation: int = 0  # of signatures
    sent: int = 0  # bytes of bodies
    stopped: threading.Event = field(default_factory=threading.Event)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def push(
        self,
        repo: str,
        files: Mapping[str, bytes | Path | Content],
        *,
        date: datetime | None = None,
        branch: str = "main",
    ) -> Commit:
        """A new commit, of a new repository if there is none, a minute after the last."""
        self.renamed.pop(repo, None)  # whoever makes it anew has the name
        made = self.repos.setdefault(repo, Repo(repo, f"{next(self._numbers):024x}"))
        number = next(self._numbers)
        sha = hashlib.sha1(f"{repo}{number}".encode(), usedforsecurity=False).hexdigest()
        contents = {
            name: file if isinstance(file, Content) else Content.of(file)
            for name, file in files.items()
        }
        date = date or DATE + timedelta(minutes=number)
        commit = Commit(sha, date, contents, made.commit(branch) or made.commit("main"))
        if branch == "main":
            made.commits.append(commit)
        else:
            made.branches[branch] = commit
        return commit

    def rewind(self, repo: str, count: int = 1) -> None:
        """Take the newest commits of `main` back, as a forced push does."""
        del self.repos[repo].commits[-count:]

    def rename(self, before: str, after: str) -> None:
        """Give a repository another name; the old one leads there."""
        made = self.repos.pop(before)
        made.id = after
        self.repos[after] = made
        self.renamed[before] = after

    def requests(self, at: str = "api") -> list[str]:
        """The paths that were asked for."""
        return [asked.path for asked in self.asked if asked.at == at]

    def strike(self, at: str) -> Fault | None:
        """The fault that this request meets."""
        for fault in self.faults:
            if fault.at == at and fault.spare > 0:
                fault.spare -= 1
            elif fault.at == at and fault.times > 0:
                fault.times -= 1
                return fault
        return None

    def signed(self, content: Content) -> str:
        """An address of the bytes at the second port, good for `fresh` seconds."""
        until = time.time() + self.fresh
        return f"{self.cdn}/{content.sha256}?Expires={until}&Signature={self.signature(content)}"

    def signature(self, content: Content) -> str:
        """What makes an address of the bytes a valid one."""
        return f"s{self.generation}-{content.sha256[:8]}"

    def age(self) -> None:
        """From now on no address that was given out is good."""
        self.generation += 1


class Handler(BaseHTTPRequestHandler):
    """What both ports share."""

    protocol_version = "HTTP/1.1"
    hub: Hub
    at = ""
    fault: Fault | None = None

    def log_message(self, *_: object) -> None:
        """Nothing: a test looks at `Hub.asked`."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        """Answer a request."""
        raise NotImplementedError

    def struck(self, at: str) -> bool:
        """Note the request; whether a fault has answered it already."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.hub.asked.append(Asked(at, self.path, headers))
        self.fault = self.hub.strike(at)
        kind, value = (self.fault.kind, self.fault.value) if self.fault else (None, 0)
        if kind is Kind.SILENCE:
            self.hub.stopped.wait(value)
            self.close_connection = True
        elif kind is Kind.STATUS and self.fault:
            self.answer(value, b"", self.fault.headers)
        elif kind is Kind.PAGE:
            self.answer(200, b"<html>log in first</html>", {"Content-Type": "text/html"})
        elif kind is Kind.RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NOW)
            self.close_connection = True
        elif self._is_spent(LIMITED.get(at, "")):
            self.refuse(429, "", "Too many requests")
            return True
        return kind in {Kind.SILENCE, Kind.STATUS, Kind.PAGE, Kind.RESET}

    def _is_spent(self, kind: str) -> bool:
        """Count a request; whether it is one more than is allowed."""
        self.hub.spent[kind] += 1
        return bool(kind) and self.hub.spent[kind] > self.hub.allowed[kind]

    def answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Send a whole answer."""
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        for name, value in self._limits().items():
            self.send_header(name, value)
        self.end_headers()
        if self.fault and self.fault.kind is Kind.CUT:
            body, self.close_connection = body[: self.fault.value], True
        self.out(body)

    def _limits(self) -> Mapping[str, str]:
        """What is still allowed, as every answer says but those of the store of files."""
        kind = LIMITED.get(self.hub.asked[-1].at if self.hub.asked else "")
        if kind is None or (self.fault and "RateLimit" in self.fault.headers):
            return {}
        allowed = self.hub.allowed[kind]
        left = max(0, allowed - self.hub.spent[kind])
        return {
            "RateLimit": f'"{kind}";r={left};t={self.hub.resets}',
            "RateLimit-Policy": f'"fixed window";"{kind}";q={allowed};w=300',
        }

    def refuse(self, status: int, code: str = "", message: str = "") -> None:
        """Send an error as the Hub does: what it means is in the headers."""
        said = {"X-Error-Code": code, "X-Error-Message": message}
        self.answer(status, b"{}", {name: value for name, value in said.items() if value})

    def out(self, body: bytes) -> None:
        if self.command != "HEAD":
            self.hub.sent += len(body)
            self.wfile.write(body)

    def hand_out(self, content: Content, headers: Mapping[str, str]) -> None:
        """Send a file or the range of it that was asked for, or what the fault makes of it."""
        start, end = self._range(content.size)
        partial = (start, end) != (0, content.size) or "Range" in self.headers
        kind, value = (self.fault.kind, self.fault.value) if self.fault else (None, 0)
        if kind is Kind.WHOLE:
            start, end, partial = 0, content.size, False
        shift = 1 if kind is Kind.SHIFTED else 0
        self.send_response(206 if partial else 200)
        for name, said in {**headers, "Content-Length": str(end - start)}.items():
            self.send_header(name, said)
        if partial:
            span = f"bytes {start + shift}-{end - 1 + shift}/{content.size}"
            self.send_header("Content-Range", span)
        self.end_headers()
        for chunk in content.read(start, end):
            if kind is Kind.CORRUPT and start <= value < start + len(chunk):
                at = value - start
                chunk = chunk[:at] + bytes((chunk[at] ^ 1,)) + chunk[at + 1 :]  # noqa: PLW2901
            start += len(chunk)
            if kind is Kind.CUT and start > value:
                self.out(chunk[: max(0, len(chunk) - (start - value))])
                self.close_connection = True
                return
            self.out(chunk)

    def _range(self, size: int) -> tuple[int, int]:
        unit, _, span = self.headers.get("Range", "").partition("=")
        first, _, last = span.partition("-")
        if unit != "bytes":
            return 0, size
        return int(first), min(int(last) + 1 if last else size, size)


class Api(Handler):
    """The Hub's own host."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        parts = [unquote(part) for part in url.path.strip("/").split("/")]
        api = parts[0] == "api"
        if self.struck("api" if api and parts[1] == "models" else "resolve"):
            return
        if parts == ["api", "models"]:
            self._list(parse_qs(url.query))
            return
        if api and parts[1] == "resolve-cache":
            self._small("/".join(parts[3:5]), parts[5], "/".join(parts[6:]))
            return
        name, rest = ("/".join(parts[2:4]), parts[4:]) if api else ("/".join(parts[:2]), parts[2:])
        if target := self.hub.renamed.get(name):
            self.answer(307, b"", {"Location": self.path.replace(name, target)})
        elif (repo := self._visible(name)) is not None:
            {"resolve": self._resolve, "commits": self._commits, "refs": self._refs}.get(
                rest[0] if rest else "", self._model
            )(repo, rest)

    def _visible(self, name: str) -> Repo | None:
        """The repository, unless this caller may not know of it."""
        said = self.headers.get("Authorization")
        if said not in {None, f"Bearer {TOKEN}"}:
            self.refuse(401, "", "Invalid credentials in Authorization header")
            return None
        repo = self.hub.repos.get(name)
        if repo is None or (repo.private and said is None):
            self.refuse(404 if said else 401, "RepoNotFound", "Repository not found")
            return None
        return repo

    def _commit(self, repo: Repo, revision: str) -> Commit | None:
        found = repo.commit(revision)
        if found is None:
            self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return found

    def _list(self, query: Mapping[str, list[str]]) -> None:
        """A page of what there is."""
        said = self.headers.get("Authorization")
        if said not in {None, f"Bearer {TOKEN}"}:
            self.refuse(401, "", "Invalid credentials in Authorization header")
        elif not set(query.get("expand", ())) <= EXPAND:
            self.refuse(400, "", "Invalid option for expand")
        else:
            repos = [repo for repo in self.hub.repos.values() if said or not repo.private]
            items, cursor = listing(repos, query)
            if self.hub.between:
                self.hub.between.pop(0)()
            self._json(items, {**query, "cursor": [cursor]} if cursor else None)

    def _model(self, repo: Repo, rest: list[str]) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        if rest and rest[0] not in {"revision", "tree"}:
            self.refuse(404)
        elif "expand" in asked and not rest:
            self._json(entry(repo, asked["expand"]))
        elif (commit := self._commit(repo, rest[1] if rest else "main")) is None:
            return
        elif rest and rest[0] == "tree":
            files = [
                {"type": "file", "path": name, **stated(name, content)}
                for name, content in commit.files.items()
            ]
            self._json(files)
        else:
            self._json(model(repo, commit, blobs="blobs" in asked))

    def _commits(self, repo: Repo, rest: list[str]) -> None:
        newest = self._commit(repo, rest[1])
        if newest is None:
            return
        query = parse_qs(urlsplit(self.path).query)
        limit, page = (
            int(query.get(name, [value])[0]) for name, value in (("limit", "50"), ("p", "0"))
        )
        history = newest.history()
        found = history[page * limit : (page + 1) * limit]
        more = {**query, "p": [str(page + 1)]} if len(history) > (page + 1) * limit else None
        self._json(
            [
                {
                    "id": commit.sha,
                    "title": "a commit",
                    "message": "",
                    "date": stamp(commit.date),
                    "authors": [{"user": "someone"}],
                }
                for commit in found
            ],
            more,
        )

    def _refs(self, repo: Repo, _: list[str]) -> None:
        heads = {"main": repo.commits[-1], **repo.branches}
        branches = [
            {"name": name, "ref": f"refs/heads/{name}", "targetCommit": commit.sha}
            for name, commit in heads.items()
        ]
        tags = [
            {"name": name, "ref": f"refs/tags/{name}", "targetCommit": sha}
            for name, sha in repo.tags.items()
        ]
        self._json({"branches": branches, "converts": [], "tags": tags})

    def _resolve(self, repo: Repo, rest: list[str]) -> None:
        commit, name = self._commit(repo, rest[1]), "/".join(rest[2:])
        if commit is None:
            return
        if repo.disabled:
            self.refuse(403, "", "Access to this resource is disabled.")
        elif repo.gated and self.headers.get("Authorization") is None:
            self.refuse(401, "GatedRepo", "Access to this model is restricted")
        elif (content := commit.files.get(name)) is None:
            self.refuse(404, "EntryNotFound", "Entry not found")
        else:
            self._redirect(repo, commit, name, content)

    def _redirect(self, repo: Repo, commit: Commit, name: str, content: Content) -> None:
        said = {"X-Repo-Commit": commit.sha, "Accept-Ranges": "bytes"}
        if is_text(name):
            cached = f"/api/resolve-cache/models/{repo.id}/{commit.sha}/{quote(name)}"
            self.answer(307, b"", {**said, "Location": cached, "ETag": f'"{content.blob}"'})
            return
        linked = {"X-Linked-Size": str(content.size), "X-Linked-ETag": f'"{content.sha256}"'}
        self.answer(302, b"", {**said, **linked, "Location": self.hub.signed(content)})

    def _small(self, name: str, revision: str, file: str) -> None:
        repo = self._visible(name)
        commit = self._commit(repo, revision) if repo is not None else None
        if commit is not None:
            content = commit.files[file]
            self.hand_out(content, {"X-Repo-Commit": commit.sha, "ETag": f'"{content.blob}"'})

    def _json(self, value: object, more: Mapping[str, list[str]] | None = None) -> None:
        """An answer of the API, and where it goes on."""
        body = json.dumps(value).encode() if self.hub.says is None else self.hub.says
        headers = {"Content-Type": "application/json"}
        if more is not None:
            path = urlsplit(self.path).path
            onward = f"{self.hub.onward or self.hub.endpoint}{path}?{urlencode(more, doseq=True)}"
            headers["Link"] = f'<{onward}>; rel="next"'
        self.answer(200, body, headers)


class Cdn(Handler):
    """The host of the bytes: it knows no names and no tokens, only signatures."""

    def do_GET(self) -> None:
        if self.struck("cdn"):
            return
        url = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        contents = {
            content.sha256: content
            for repo in self.hub.repos.values()
            for head in (*repo.commits, *repo.branches.values())
            for commit in head.history()
            for content in commit.files.values()
        }
        content = contents.get(url.path.strip("/"))
        if content is None:
            self.refuse(404)
            return
        valid = asked.get("Signature") == self.hub.signature(content)
        if not valid or float(asked.get("Expires", "0")) < time.time():
            self.refuse(403)
        else:
            self.hand_out(content, {"ETag": f'"{content.sha256}"', "Accept-Ranges": "bytes"})


class Server(ThreadingHTTPServer):
    """One port."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serve() -> Iterator[Hub]:
    """Both ports, on threads, until the block ends."""
    hub = Hub()
    servers = [
        Server(("127.0.0.1", 0), type(kind.__name__, (kind,), {"hub": hub})) for kind in (Api, Cdn)
    ]
    hub.endpoint, hub.cdn = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    threads = [
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        for server in servers
    ]
    for thread in threads:
        thread.start()
    try:
        yield hub
    finally:
        hub.stopped.set()
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()
