"""Our webhook in an MLflow registry: made, tried, listed, removed."""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from auditor.errors import SourceError, UsageError
from auditor.mlflow_client import connect, existing, inside, redact, translated
from auditor.mlflow_client.workspaces import available
from auditor.sources.mlflow import Mlflow

NAME = "auditor"  # of the webhooks made here; names are not unique in MLflow
EVENT = "model_version.created"  # tags would echo: results are written back as tags
PATH = "/webhooks/mlflow"
LONGEST = 500  # characters of an address; MLflow's column has no more

ENCRYPTION = (
    "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY on the MLflow server, a key that stays (made by "
    "cryptography.fernet.Fernet.generate_key()): without it the secret cannot be read after a "
    "restart, or by a second worker, and deliveries of this event fail for every webhook"
)
CACHE = "the server learns of it within 60 s (MLFLOW_WEBHOOK_CACHE_TTL); until then nothing is sent"
ADMIN = "with basic-auth, webhooks need a user who is admin"
SCHEMES = "MLFLOW_WEBHOOK_ALLOWED_SCHEMES=http,https on the MLflow server: it allows https only"
PRIVATE = (
    "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS=true on the MLflow server: the address is no public one, "
    "and the server asks nobody else"
)


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook as the registry lists it."""

    id: str
    workspace: str  # it belongs to; empty where the server has none
    name: str
    url: str  # without user and password
    events: tuple[str, ...]
    is_active: bool


@dataclass(frozen=True, slots=True)
class Registered:
    """What registering came to."""

    webhook: Webhook
    is_new: bool
    failure: str | None  # why the delivery on trial did not arrive; None: it did


def register(source: Mlflow, url: str) -> Iterator[Registered]:
    """Create the webhook, or bring the one with this address up to date; then try it.

    One for each workspace that is watched; without workspaces, one.

    Raises
    ------
    UsageError
        If the address is none that can be called, or the source has no secret or no server.
    SourceError
        If the registry refuses; what it may need is said.
    """
    _must_be_callable(url)
    if not source.webhook_secret:
        raise UsageError(
            f"source {source.name} has no webhook_secret, which deliveries are signed with; "
            "set webhook_secret_file in config.yaml to a file with 32 random characters or more"
        )
    for workspace, client in _registries(source):
        with _explained(source, url):
            yield _register(client, workspace, url, source.webhook_secret)


def webhooks(source: Mlflow) -> Iterator[Webhook]:
    """Every webhook in the registry, whoever made it.

    Raises
    ------
    SourceError
        If the registry does not say.
    """
    for workspace, client in _registries(source):
        with translated(source.uri, f"listing webhooks; {ADMIN}"):
            found = [_webhook(one, workspace) for one in _every(client)]
        yield from found


def remove(source: Mlflow, webhook_id: str) -> None:
    """Delete a webhook; deliveries go on for up to 60 s.

    Raises
    ------
    UsageError
        If there is none with this id.
    SourceError
        If the registry refuses.
    """
    for _, client in _registries(source):
        with translated(source.uri, f"removing a webhook; {ADMIN}"):
            if existing(client.get_webhook, webhook_id) is not None:
                client.delete_webhook(webhook_id)
                return
    raise UsageError(f"no webhook {webhook_id}; auditor webhook list shows the ids there are")


def needed(url: str) -> Sequence[str]:
    """Settings of the MLflow server that deliveries to an address depend on."""
    found = urlsplit(url)
    schemes = [SCHEMES] if found.scheme == "http" else []
    private = [PRIVATE] if _is_private(found.hostname or "") else []
    return [*schemes, *private, ENCRYPTION, CACHE]


def _must_be_callable(url: str) -> None:
    found = urlsplit(url)
    fits = found.scheme in {"http", "https"} and found.hostname and found.path.endswith(PATH)
    if not fits or found.username or len(url) > LONGEST:
        raise UsageError(
            f"{redact(url)} is no address for the webhook; expected https://…{PATH}, as MLflow's "
            f"server reaches this service, without a password, at most {LONGEST} characters"
        )


def _registries(source: Mlflow) -> Iterator[tuple[str, Any]]:
    """Each workspace that is watched, and a client; what it asks meanwhile is about that one."""
    if not source.uri.startswith(("http://", "https://")):
        raise UsageError(
            f"source {source.name} reads a database; webhooks are sent by an MLflow server, "
            "so give the server's address as uri"
        )
    client = connect(source.uri)
    there = available(source.uri, source.workspaces)[0] if source.workspaces else [""]
    for workspace in there:
        with inside(workspace):
            yield workspace, client


def _register(client: Any, workspace: str, url: str, secret: str) -> Registered:  # noqa: ANN401
    given = {"url": url, "events": [EVENT], "secret": secret, "status": "ACTIVE"}
    ours = [hook for hook in _every(client) if hook.url == url and hook.name == NAME]
    if ours:
        made = client.update_webhook(ours[0].webhook_id, **given)
    else:
        about = "New versions are audited at once."
        made = client.create_webhook(NAME, description=about, **given)
    tried = client.test_webhook(made.webhook_id, EVENT)
    failure = None if tried.success else _failure(tried)
    return Registered(_webhook(made, workspace), is_new=not ours, failure=failure)


def _every(client: Any) -> Iterator[Any]:  # noqa: ANN401
    token = None
    while True:
        found = client.list_webhooks(page_token=token)
        yield from found
        if not (token := found.token):
            return


@contextmanager
def _explained(source: Mlflow, url: str) -> Iterator[None]:
    """A refusal with what may be missing, and without the secret."""
    try:
        with translated(source.uri, "registering the webhook"):
            yield
    except SourceError as error:
        words = str(error).replace(source.webhook_secret or "\0", "…")
        raise SourceError(f"{words}. It may need: {'; '.join([*needed(url), ADMIN])}") from None


def _failure(tried: Any) -> str:  # noqa: ANN401
    if tried.response_status:
        body = " ".join(str(tried.response_body or "").split())
        return f"the answer was {tried.response_status} {body[:200]}"
    return " ".join(str(tried.error_message or "no reason given").split())[:300]


def _webhook(found: Any, workspace: str) -> Webhook:  # noqa: ANN401
    return Webhook(
        id=found.webhook_id,
        workspace=workspace,
        name=found.name,
        url=redact(found.url),
        events=tuple(str(event) for event in found.events),
        is_active=str(getattr(found.status, "value", found.status)) == "ACTIVE",
    )


def _is_private(host: str) -> bool:
    """Whether a host is certainly not on the public internet."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return (
            "." not in host or re.search(r"\.(local|internal|lan|localdomain)$", host) is not None
        )
