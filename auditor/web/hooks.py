"""Webhooks: hints that a model may have changed, taken at once and followed later."""

import logging
from collections.abc import Mapping
from hmac import compare_digest
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response

from auditor.ledger import Hint
from auditor.sources.hub import Hub
from auditor.sources.mlflow import Mlflow
from auditor.web.answers import Answer
from auditor.web.hostile import parsed
from auditor.web.house import House
from auditor.web.hub_events import changed
from auditor.web.mlflow_events import Signed, registered

log = logging.getLogger(__name__)

Headers = Mapping[str, str]
Found = list[tuple[str, str]]  # a name for each piece of news, and the model it is about
UNRELATED: dict[int | str, dict[str, Any]] = {
    204: {"description": "An event that says nothing about versions of models."}
}


class Receipt(Answer):
    """What became of a delivery."""

    hints: int  # new ones; 0 where it came before


async def _body(request: Request) -> bytes:
    return await request.body()  # the door has read it, and it is short enough


Body = Annotated[bytes, Depends(_body)]


def router(house: House) -> APIRouter:
    """Routes that other servers call; no token, a signature or a secret instead."""
    routes = APIRouter(prefix="/webhooks", tags=["webhooks"])

    @routes.post("/mlflow", status_code=202, response_model=Receipt, responses=UNRELATED)
    def mlflow(request: Request, body: Body) -> Response | Receipt:
        """A version registered, or decided on by its tag; signed. Other events are forgotten."""
        senders = _signers(house, request.headers, body)
        model = registered(parsed(body))
        delivery = request.headers["x-mlflow-delivery-id"]
        return _kept(house, senders, [(delivery, model)] if model is not None else [])

    @routes.post("/huggingface", status_code=202, response_model=Receipt, responses=UNRELATED)
    def huggingface(request: Request, body: Body) -> Response | Receipt:
        """Changes of branches and tags, moves and deletions of models, with the secret."""
        senders = _bearers(house, request.headers)
        return _kept(house, senders, list(changed(parsed(body))))

    return routes


def _signers(house: House, headers: Headers, body: bytes) -> list[str]:
    """The sources whose secret a delivery is signed with.

    Raises
    ------
    HTTPException
        401 without a signature; 403 if none fits, or it was sent at another time.
    """
    secrets = _secrets(house, Mlflow)
    signed = Signed.of(headers)
    if signed is None:
        raise _refused(401, "mlflow", "found no signature; give the webhook a secret")
    senders = [name for name, secret in secrets.items() if signed.is_by(secret, body)]
    if not senders:
        raise _refused(403, "mlflow", "the signature is not of any source's webhook_secret")
    if not signed.is_recent(house.clock()):
        raise _refused(403, "mlflow", "it was sent over 5 minutes ago, or ahead; set the clocks")
    return senders


def _bearers(house: House, headers: Headers) -> list[str]:
    """The sources whose secret came with a delivery of the Hub.

    Raises
    ------
    HTTPException
        401 without one; 403 if it is another.
    """
    secrets = _secrets(house, Hub)
    if "x-webhook-secret" not in headers:
        raise _refused(401, "hub", "found no X-Webhook-Secret; give the webhook a secret")
    given = headers["x-webhook-secret"].encode("latin-1")
    fits = {name: compare_digest(secret.encode(), given) for name, secret in secrets.items()}
    if not any(fits.values()):
        raise _refused(403, "hub", "the secret is not any source's webhook_secret")
    return [name for name, is_it in fits.items() if is_it]


def _secrets(house: House, kind: type[Mlflow] | type[Hub]) -> Mapping[str, str]:
    """Secrets by source, of one kind.

    Raises
    ------
    HTTPException
        403, where there are none.
    """
    found = {
        name: source.webhook_secret
        for name, source in house.sources.items()
        if isinstance(source, kind) and source.webhook_secret
    }
    if not found:
        name = kind.__name__.lower()
        sentence = f"no source of kind {name} has a webhook_secret; set it in config.yaml"
        raise _refused(403, name, sentence)
    return found


def _refused(status: int, kind: str, sentence: str) -> HTTPException:
    log.warning("webhook for %s: %s", kind, sentence, extra={"event": "webhook.refused"})
    return HTTPException(status, sentence)


def _kept(house: House, senders: list[str], news: Found) -> Response | Receipt:
    """Hints written down, each once however often it comes."""
    if not news:
        return Response(status_code=204)
    at, new = house.clock(), 0
    for source in senders:
        for key, model in news:
            new += house.ledger.hint(Hint(f"{source}:{key}", source, model, at))
            about = {"event": "webhook.taken", "source": source}
            log.info("%s: %s may have changed", source, model, extra=about)
    if new:
        house.nudge()
    return Receipt(hints=new)
