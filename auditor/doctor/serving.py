"""The service: whether it runs, who may ask it, and whom it tells."""

import http.client
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import make_url

from auditor.config import Config
from auditor.doctor.symptoms import Symptom, tried
from auditor.errors import AuditorError, ConfigError
from auditor.sources import Source
from auditor.sources.mlflow import Mlflow
from auditor.status.leading import is_led
from auditor.telling import addresses
from auditor.web.registering import PATH, webhooks
from auditor.web.tokens import listed

OTHERS = 0o077  # bits of a mode that let others than the owner do anything
SILENCE = 3.0  # seconds


def doors(config: Config, sources: Sequence[Source]) -> Iterator[Symptom]:
    """The service and its web door."""
    yield tried("service", lambda: _leader(config))
    yield _tokens(config)
    for source in sources:
        if hasattr(source, "webhook_secret"):
            yield _webhooks(source)


def people(config: Config) -> Iterator[Symptom]:
    """Whether messages have an address; none is sent."""
    if not config.notify:
        return
    try:
        found = addresses(config)
    except ConfigError as error:
        yield from (Symptom("notify", line, fine=False) for line in str(error).splitlines())
    else:
        yield Symptom("notify", f"{', '.join(one.name for one in found)} can be addressed")


def _leader(config: Config) -> str:
    """Whether a process leads."""
    where = make_url(config.ledger)
    file = Path(f"{where.database}.lead")
    if where.get_backend_name() == "sqlite" and not file.exists():
        return "never ran with this ledger; auditor serve runs it"
    if not is_led(config.ledger):
        return "does not run now; auditor serve runs it"
    return f"runs, and {_door(config)}"


def _door(config: Config) -> str:
    """Whether it answers on this machine, which `--no-web` and other machines do not."""
    server = config.server
    if server.port == 0:
        return "answers at a port of its choice, which its first line names"
    host = server.host if server.host not in {"0.0.0.0", "::"} else "localhost"  # noqa: S104
    connection = http.client.HTTPConnection(host, server.port, timeout=SILENCE)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"does not answer at {host}:{server.port} ({type(error).__name__})"
    finally:
        connection.close()
    return f"answers at {host}:{server.port} with {status}"


def _tokens(config: Config) -> Symptom:
    server = config.server
    if server.tokens is not None:
        return _file_of_tokens(server.tokens)
    if not server.is_open:
        return Symptom("tokens", f"none are asked for on {server.host}")
    return Symptom(
        "tokens",
        f"server.host is {server.host}, which others can reach: name a file of tokens as "
        "server.tokens and fill it with auditor token add",
        fine=False,
    )


def _file_of_tokens(path: Path) -> Symptom:
    try:
        found = listed(path)
    except AuditorError as error:
        return Symptom("tokens", str(error), fine=False)
    mode = path.stat().st_mode & 0o777
    if mode & OTHERS:
        does = f"{path} has mode {mode:o}, which lets others in: chmod 600 {path}"
        return Symptom("tokens", does, fine=False)
    return Symptom("tokens", f"{len(found)} in {path}")


def _webhooks(source: Source) -> Symptom:
    """Whether what arrives could be believed; a registry is asked what it sends."""
    what, secret = f"webhooks of {source.name}", getattr(source, "webhook_secret", None)
    sent = 0
    if isinstance(source, Mlflow) and source.uri.startswith(("http://", "https://")):
        try:
            sent = sum(hook.is_active and hook.url.endswith(PATH) for hook in webhooks(source))
        except AuditorError:
            sent = 0  # only some users may ask, and without webhooks there is polling
    if sent and not secret:
        return Symptom(
            what,
            f"the registry sends them to {PATH}, and there is no webhook_secret to hold them "
            "against: set webhook_secret_file, and run auditor webhook register again",
            fine=False,
        )
    if not secret:
        return Symptom(what, "none are taken, since there is no webhook_secret; it is polled")
    known = f", {sent} registered" if sent else ""
    return Symptom(what, f"taken with a signature{known}")
