"""Webhooks of MLflow: version 1 of its signature, and the event that says what to look at."""

import base64
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any

from pydantic import Field

from auditor.mlflow_client.registry import DECISION
from auditor.web.hostile import Told, read

WINDOW = timedelta(minutes=5)  # MLflow's own retries end after 30 s or two minutes, same timestamp
DELIVERY = re.compile(r"[0-9A-Za-z-]{1,64}")  # a UUID
SECONDS = re.compile(r"[0-9]{1,11}")
LONGEST = 1000  # characters of a model's name; MLflow's databases take 256


@dataclass(frozen=True, slots=True)
class Signed:
    """What a delivery says of itself."""

    delivery_id: str
    timestamp: str  # seconds since 1970; the same in every retry of a delivery
    signatures: tuple[str, ...]  # each `v1,` and base64

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> "Signed | None":
        """None where one of the three headers is missing, or is nothing MLflow sends."""
        found = cls(
            delivery_id=headers.get("x-mlflow-delivery-id", ""),
            timestamp=headers.get("x-mlflow-timestamp", ""),
            signatures=tuple(headers.get("x-mlflow-signature", "").split()),
        )
        in_form = DELIVERY.fullmatch(found.delivery_id) and SECONDS.fullmatch(found.timestamp)
        return found if in_form and found.signatures else None

    def is_by(self, secret: str, body: bytes) -> bool:
        """Whether who knows the secret signed exactly this delivery."""
        expected = signature(secret, self.delivery_id, self.timestamp, body).encode()
        fits = [hmac.compare_digest(one.encode("latin-1"), expected) for one in self.signatures]
        return any(fits)

    def is_recent(self, at: datetime) -> bool:
        """Whether it was sent within `WINDOW` before or after `at`."""
        sent = datetime.fromtimestamp(int(self.timestamp), UTC)
        return abs(at - sent) <= WINDOW


class _Event(Told):
    entity: str
    action: str
    data: dict[str, Any]


class _Tagged(Told):
    key: str = ""


class _Named(Told):
    name: Annotated[str, Field(min_length=1, max_length=LONGEST)]


def signature(secret: str, delivery_id: str, timestamp: str, body: bytes) -> str:
    """What MLflow puts into ``X-MLflow-Signature``."""
    text = f"{delivery_id}.{timestamp}.".encode() + body
    digest = hmac.new(secret.encode(), text, sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def registered(value: object) -> str | None:
    """The model of which a version was registered or decided on; None where it is no such event.

    A decision is the tag `DECISION` set or removed; other tags are our own as often as not.

    Raises
    ------
    HTTPException
        422, if it is no event of MLflow.
    """
    event = read(_Event, value)
    is_made = (event.entity, event.action) == ("model_version", "created")
    is_tag = event.entity == "model_version_tag"
    if is_made or (is_tag and read(_Tagged, event.data).key == DECISION):
        return read(_Named, event.data).name
    return None
