"""Webhooks as their senders make them, and as nobody should."""

import json
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
import requests
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from auditor.sources.hub import Hub
from auditor.sources.mlflow import Mlflow
from auditor.web.mlflow_events import signature
from tests.web.houses import Asked, Clock, house, served

SECRET = "drei Wörter 🤝 und mehr"  # noqa: S105 - any text will do
HUB_SECRET = "only-ascii-0123456789"  # noqa: S105
NOWHERE = "http://127.0.0.1:9"
KIND = {"Content-Type": "application/json"}
FEW = settings(
    derandomize=True, max_examples=150, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def hooked(tmp_path_factory, clock) -> Iterator[Asked]:
    """Two MLflow sources, one more without a secret, and a Hub source."""
    sources = (
        Mlflow(NOWHERE, name="plain"),
        Mlflow(NOWHERE, name="mlflow", webhook_secret=SECRET),
        Mlflow(NOWHERE, name="staging", webhook_secret="another secret"),  # noqa: S106
        Hub(repos=("org/net",), name="hub", webhook_secret=HUB_SECRET),
    )
    at = tmp_path_factory.mktemp("hooked")
    with house(at, *sources, clock=clock) as found, served(found) as running:
        yield running


@pytest.fixture(autouse=True)
def reset(request) -> None:
    if "hooked" in request.fixturenames:
        request.getfixturevalue("hooked").nudged.clear()
        request.getfixturevalue("clock").ahead = timedelta(0)


def created(name: str = "net", **more: object) -> dict[str, object]:
    """What MLflow sends when a version was registered."""
    data = {
        "name": name,
        "version": "1",
        "source": "runs:/0efe/weights",
        "run_id": None,
        "tags": {"t": "1"},
        "description": None,
    }
    stamp = "2026-11-20T18:16:47.103801+00:00"
    return {
        **{"entity": "model_version", "action": "created", "timestamp": stamp, "data": data},
        **more,
    }


def signed(asked: Asked, body: bytes, secret: str = SECRET, **changed: str) -> dict[str, str]:
    """The headers of a delivery; `changed` by name, with _ for -."""
    delivery = changed.get("delivery_id", str(uuid4()))
    sent = changed.get("timestamp", str(int(asked.house.clock().timestamp())))
    return {
        **KIND,
        "X-MLflow-Delivery-Id": delivery,
        "X-MLflow-Timestamp": sent,
        "X-MLflow-Signature": signature(secret, delivery, sent, body),
    }


def deliver(asked: Asked, body: bytes, headers: dict[str, str]) -> requests.Response:
    url = asked.url + "/webhooks/mlflow"
    return requests.post(url, data=body, headers=headers, timeout=60)


def hints(asked: Asked) -> list[tuple[str, str]]:
    return [(hint.source, hint.model) for hint in asked.house.ledger.hints()]


def bytes_of(value: object) -> bytes:
    return json.dumps(value).encode()


# --- MLflow -----------------------------------------------------------------------------------


def test_a_registration_becomes_a_hint_and_wakes_the_service(hooked):
    body = bytes_of(created("net-1"))
    answer = deliver(hooked, body, signed(hooked, body))
    assert (answer.status_code, answer.json()) == (202, {"hints": 1})
    assert hints(hooked)[-1] == ("mlflow", "net-1")
    assert hooked.nudged.is_set()


def test_the_same_delivery_again_is_the_same_hint(hooked):
    body = bytes_of(created("net-2"))
    headers = signed(hooked, body)
    assert [deliver(hooked, body, headers).json()["hints"] for _ in range(3)] == [1, 0, 0]
    assert hints(hooked).count(("mlflow", "net-2")) == 1


def test_each_source_is_told_by_its_own_secret(hooked):
    body = bytes_of(created("net-3"))
    assert deliver(hooked, body, signed(hooked, body, "another secret")).status_code == 202
    assert [pair for pair in hints(hooked) if pair[1] == "net-3"] == [("staging", "net-3")]


def test_one_of_several_signatures_is_enough(hooked):
    body = bytes_of(created("net-4"))
    headers = signed(hooked, body)
    fits = headers["X-MLflow-Signature"]
    headers["X-MLflow-Signature"] = f"v1,AAAA {fits} v2,{fits}"
    assert deliver(hooked, body, headers).status_code == 202


@pytest.mark.parametrize("action", ["set", "deleted"])
def test_a_decision_by_tag_becomes_a_hint_and_no_other_tag_does(hooked, action):
    for key, status in (("auditor.decision", 202), ("auditor.verdict", 204)):
        data = {"name": f"net-{action}", "version": "1", "key": key, "value": "accept"}
        body = bytes_of({"entity": "model_version_tag", "action": action, "data": data})
        assert deliver(hooked, body, signed(hooked, body)).status_code == status
    assert hints(hooked).count(("mlflow", f"net-{action}")) == 1


@pytest.mark.parametrize(
    ("entity", "action"),
    [
        ("registered_model", "created"),
        ("model_version_tag", "set"),
        ("model_version_alias", "created"),
        ("prompt_version", "created"),
        ("something", "new"),
    ],
)
def test_other_events_are_taken_and_forgotten(hooked, entity, action):
    body = bytes_of({"entity": entity, "action": action, "data": {}})
    before = hints(hooked)
    answer = deliver(hooked, body, signed(hooked, body))
    assert (answer.status_code, answer.content) == (204, b"")
    assert hints(hooked) == before
    assert not hooked.nudged.is_set()


@pytest.mark.parametrize("off", [timedelta(seconds=299), timedelta(seconds=-299)])
def test_a_delivery_within_five_minutes_counts(hooked, clock, off):
    body = bytes_of(created())
    headers = signed(hooked, body)
    clock.ahead = off
    assert deliver(hooked, body, headers).status_code == 202


@pytest.mark.parametrize(
    "off", [timedelta(seconds=302), timedelta(seconds=-302), timedelta(days=9)]
)
def test_an_older_or_later_one_does_not(hooked, clock, off):
    body = bytes_of(created("late"))
    headers = signed(hooked, body)
    clock.ahead = off
    answer = deliver(hooked, body, headers)
    assert answer.status_code == 403
    assert "5 minutes" in answer.json()["error"]
    assert ("mlflow", "late") not in hints(hooked)


CHANGES = [
    ("X-MLflow-Signature", "v1,AAAA", 403),
    ("X-MLflow-Signature", "", 401),
    ("X-MLflow-Signature", "v1," + "é" * 40, 403),
    ("X-MLflow-Delivery-Id", "0b9a4c1e-5d0c-4b7b-9d5e-2f5f0c6a7e11", 403),
    ("X-MLflow-Delivery-Id", "../../x", 401),
    ("X-MLflow-Delivery-Id", "x" * 65, 401),
    ("X-MLflow-Timestamp", "1", 403),
    ("X-MLflow-Timestamp", "soon", 401),
    ("X-MLflow-Timestamp", "9" * 40, 401),
    ("X-MLflow-Timestamp", "-1", 401),
]


@pytest.mark.parametrize(("name", "value", "status"), CHANGES)
def test_a_changed_header_is_refused(hooked, name, value, status):
    body = bytes_of(created("changed"))
    headers = signed(hooked, body) | {name: value.encode("latin-1")}
    assert deliver(hooked, body, headers).status_code == status
    assert ("mlflow", "changed") not in hints(hooked)


@pytest.mark.parametrize(
    "name", ["X-MLflow-Signature", "X-MLflow-Delivery-Id", "X-MLflow-Timestamp"]
)
def test_a_missing_header_is_refused(hooked, name):
    body = bytes_of(created())
    headers = {key: value for key, value in signed(hooked, body).items() if key != name}
    assert deliver(hooked, body, headers).status_code == 401


def test_a_changed_body_or_another_secret_is_refused(hooked, caplog):
    body = bytes_of(created("net-5"))
    headers = signed(hooked, body)
    assert deliver(hooked, body.replace(b"net-5", b"net-6"), headers).status_code == 403
    assert deliver(hooked, body + b" ", headers).status_code == 403
    assert deliver(hooked, body, signed(hooked, body, "guess")).status_code == 403
    assert {record.event for record in caplog.records} == {"webhook.refused"}
    assert SECRET not in caplog.text


def test_without_any_secret_nothing_is_taken_and_the_log_says_why(tmp_path, caplog):
    body = bytes_of(created())
    with house(tmp_path, Mlflow(NOWHERE)) as found, served(found) as running:
        for path in ("mlflow", "huggingface"):
            answer = running.post(f"/webhooks/{path}", created())
            assert answer.status_code == 403
            assert "webhook_secret" in answer.json()["error"]
        assert deliver(running, body, signed(running, body, "")).status_code == 403
        assert found.ledger.hints() == []
    assert caplog.text.count("no source of kind mlflow has a webhook_secret") == 2


# --- the Hub ----------------------------------------------------------------------------------

OLD, NEW = "a" * 40, "b" * 40


def pushed(name: str, *refs: str, **more: object) -> dict[str, object]:
    """What the Hub sends when commits arrived."""
    return {
        "event": {"action": "update", "scope": "repo.content"},
        "repo": {"type": "model", "name": name, "id": f"id-{name}", "private": False},
        "updatedRefs": [{"ref": ref, "oldSha": OLD, "newSha": NEW} for ref in refs],
        "webhook": {"id": "1", "version": 3},
        **more,
    }


def push(asked: Asked, value: object, secret: str | None = HUB_SECRET) -> requests.Response:
    headers = {"X-Webhook-Secret": secret.encode()} if secret is not None else {}
    return asked.post("/webhooks/huggingface", value, headers=headers)


@pytest.mark.parametrize("ref", ["refs/heads/main", "refs/heads/a/b", "refs/tags/v1"])
def test_a_commit_on_a_branch_or_tag_is_a_hint_once(hooked, ref):
    name = "org/" + ref.replace("/", "-")
    assert push(hooked, pushed(name, ref)).json() == {"hints": 1}
    assert hooked.nudged.is_set()
    assert push(hooked, pushed(name, ref)).json() == {"hints": 0}  # replayed
    assert hints(hooked).count(("hub", name)) == 1


def test_going_back_to_an_earlier_commit_is_news(hooked):
    there = pushed("org/back", "refs/heads/main")
    back = pushed(
        "org/back", updatedRefs=[{"ref": "refs/heads/main", "oldSha": NEW, "newSha": OLD}]
    )
    assert [push(hooked, value).json()["hints"] for value in (there, back)] == [1, 1]


@pytest.mark.parametrize(
    "value",
    [
        pushed("org/pr", "refs/pr/3"),
        pushed("org/none"),
        pushed("org/null", updatedRefs=None),
        pushed("org/data", "refs/heads/main", repo={"type": "dataset", "name": "a/b", "id": "1"}),
        pushed("org/new", "refs/heads/main", event={"action": "create", "scope": "repo"}),
        pushed("org/talk", event={"action": "update", "scope": "discussion"}),
        pushed("org/conf", event={"action": "update", "scope": "repo.config"}),
        pushed("org/deep", event={"action": "update", "scope": "repo.config.dois"}),
        {"event": {"action": "update", "scope": "org"}},
    ],
    ids=lambda value: str(value.get("repo", {}).get("name")),
)
def test_what_is_no_news_of_a_model_is_taken_and_forgotten(hooked, value):
    before = hints(hooked)
    assert push(hooked, value).status_code == 204
    assert hints(hooked) == before


def test_a_narrower_scope_is_an_update_of_the_wider_one(hooked):
    event = {"action": "create", "scope": "repo.content.lfs"}
    assert push(hooked, pushed("org/lfs", "refs/heads/main", event=event)).json() == {"hints": 1}


def test_moves_and_deletions_are_news_of_both_names(hooked):
    moved = pushed("org/old", event={"action": "move", "scope": "repo"}, movedTo={"name": "org/to"})
    assert push(hooked, moved).json() == {"hints": 2}
    deleted = pushed("org/end", event={"action": "delete", "scope": "repo"})
    assert push(hooked, deleted).json() == {"hints": 1}
    assert {("hub", "org/old"), ("hub", "org/to"), ("hub", "org/end")} <= set(hints(hooked))


@pytest.mark.parametrize(
    ("secret", "status"), [(None, 401), ("", 403), ("guess", 403), (HUB_SECRET + "x", 403)]
)
def test_without_the_secret_nothing_is_taken(hooked, secret, status):
    assert push(hooked, pushed("org/secret", "refs/heads/main"), secret).status_code == status
    assert ("hub", "org/secret") not in hints(hooked)


# --- what nobody should send ------------------------------------------------------------------

DEEP = b"[" * 100_000
HOSTILE = [
    b"",
    b"{",
    b"\xff\xfe",
    b'{"a": NaN}',
    b'{"a": Infinity}',
    b'{"entity": 1, "entity": 2}',
    b"1" * 5000,  # more digits than Python makes a number of
    DEEP,
    b'{"a":' * 50_000,
    b"\xef\xbb\xbf{}",
    b"\x00",
]


@pytest.mark.parametrize("body", HOSTILE, ids=lambda body: repr(body[:20]))
def test_what_is_no_json_is_a_sentence(hooked, body):
    answers = [
        deliver(hooked, body, signed(hooked, body)),
        requests.post(
            hooked.url + "/webhooks/huggingface",
            data=body,
            headers=KIND | {"X-Webhook-Secret": HUB_SECRET},
            timeout=60,
        ),
    ]
    for answer in answers:
        assert answer.status_code in {400, 422}
        assert list(answer.json()) == ["error"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "entity": st.just("model_version") | VALUES,
        "action": st.just("created") | VALUES,
        "data": st.fixed_dictionaries({}, optional={"name": st.text() | VALUES}) | VALUES,
        "event": st.fixed_dictionaries(
            {"action": st.sampled_from(["update", "move", "delete"]) | VALUES},
            optional={"scope": st.sampled_from(["repo", "repo.content", "a.b.c"]) | VALUES},
        )
        | VALUES,
        "repo": st.fixed_dictionaries(
            {"type": st.just("model"), "name": st.text(), "id": st.text()}
        )
        | VALUES,
        "updatedRefs": st.lists(
            st.fixed_dictionaries({"ref": st.just("refs/heads/x") | st.text()}) | VALUES, max_size=3
        )
        | VALUES,
        "movedTo": st.fixed_dictionaries({"name": st.text()}) | VALUES,
    },
)


@FEW
@example(created("\ud800"))
@example(created("\0"))
@example(created("x" * 1000))
@example(created("x" * 1001))
@example(created(""))
@example(pushed("\udc80", "refs/heads/main"))
@given(value=EVENTS | VALUES)
def test_whatever_a_sender_says_is_taken_or_refused(hooked, value):
    body = json.dumps(value).encode()
    statuses = {
        deliver(hooked, body, signed(hooked, body)).status_code,
        requests.post(
            hooked.url + "/webhooks/huggingface",
            data=body,
            headers=KIND | {"X-Webhook-Secret": HUB_SECRET},
            timeout=60,
        ).status_code,
    }
    assert statuses <= {202, 204, 400, 422}


@FEW
@given(body=st.binary(max_size=300))
def test_whatever_bytes_come_are_refused(hooked, body):
    assert deliver(hooked, body, signed(hooked, body)).status_code in {204, 400, 422}
