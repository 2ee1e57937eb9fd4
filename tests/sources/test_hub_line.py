"""A Hub that is watched, along the whole line: from the commit to the verdict."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from auditor.pipeline import Outcome, once, sweep
from auditor.policies import load_policy
from tests import hub_server, models
from tests.hub_watch import NAME, Watched, watched
from tests.models import weights

CONFIG = b'{"model_type": "net"}'


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[hub_server.Hub]:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("auditor.sources.hub.PAUSES", (0.0,))
    with hub_server.serve() as made:
        yield made


@pytest.fixture
def hub(server: hub_server.Hub, tmp_path: Path) -> Iterator[Watched]:
    with watched(server, tmp_path, repos=[NAME], history="all") as made:
        yield made


def push(server: hub_server.Hub, seed: int, readme: bytes = b"", *, collapsed: bool = False) -> str:
    tensors = weights(seed, **({"fc2.weight": models.collapsed()} if collapsed else {}))
    content = {"model.safetensors": save(tensors), "config.json": CONFIG}
    return server.push(NAME, {**content, "README.md": readme}).sha


def verdicts(outcome: Outcome) -> dict[str, str]:
    return {found["model"]["version"]: found["verdict"] for found in outcome.audited}


def stored(server: hub_server.Hub) -> int:
    """How often bytes of a weight file were asked for."""
    return len(server.requests("cdn"))


def distances(document: Any) -> dict[str, float]:
    return {layer["name"]: layer["relative"] for layer in document["comparison"]["layers"]}


def test_commits_are_audited_oldest_first_against_the_weights_before(server, hub):
    first, second, third = push(server, 0), push(server, 7), push(server, 1, collapsed=True)
    outcome = once(hub.app)
    assert verdicts(outcome) == {first: "PASS", second: "PASS", third: "BLOCK"}
    comparison = outcome.audited[1]["comparison"]
    assert comparison["baseline"]["version"] == first
    old, new = weights(0)["fc1.weight"].astype(float), weights(7)["fc1.weight"]
    expected = np.linalg.norm(old - new) / np.linalg.norm(old)
    assert distances(outcome.audited[1])["fc1.weight"] == pytest.approx(expected, rel=1e-9)
    assert once(hub.app).audited == []


def test_a_commit_that_changed_the_card_alone_costs_no_byte_of_weights(server, hub):
    first = push(server, 0)
    once(hub.app)
    before, asked = stored(server), server.sent
    card = push(server, 0, b"# better words")
    outcome = once(hub.app)
    [audit] = outcome.audited
    assert (audit["model"]["version"], audit["verdict"]) == (card, "PASS")
    assert audit["reason"].startswith(f"same weights as version {first}: ")
    assert stored(server) == before
    assert not [path for path in server.requests("resolve") if card in path]
    assert server.sent - asked < 5000  # what the API says


def test_nothing_is_compared_with_a_copy_of_itself(server, hub):
    audits = []
    for seed, words in ((0, b"a"), (0, b"b"), (7, b"c"), (7, b"d")):
        push(server, seed, words)
        audits += once(hub.app).audited
    commits = hub.versions()
    assert [audit["model"]["version"] for audit in audits] == commits
    assert audits[2]["comparison"]["baseline"]["version"] == commits[1]  # the weights before
    assert audits[3]["comparison"] == audits[2]["comparison"]

    # nor where other rules are in force: what was said before is judged by them, then repeated
    strict = replace(hub.app.examiner, policy=load_policy("strict"))
    push(server, 7, b"e")
    again, audit = once(replace(hub.app, examiner=strict)).audited
    assert again["rejudged"]["id"] == audits[3]["id"]
    assert (again["verdict"], audit["verdict"]) == ("REVIEW", "REVIEW")
    assert audit["reason"].startswith(f"same weights as version {commits[3]}: ")
    assert audit["comparison"]["baseline"]["version"] == commits[1]
    assert distances(audit)["fc1.weight"] == distances(audits[2])["fc1.weight"] > 0.1


def test_a_model_is_compared_with_what_its_card_says_it_was_made_from(server, tmp_path):
    name = "acme/base"
    base = server.push(name, {"model.safetensors": save(weights(5))})
    push(server, 6)
    server.repos[NAME].card = {"base_model": name}
    server.push(name, {"model.safetensors": save(weights(8))})  # later, so it is not made from it
    with watched(server, tmp_path, baseline=["base_model"], repos=[NAME]) as hub:
        [audit] = once(hub.app).audited
    assert audit["comparison"]["baseline"]["version"] == base.sha
    old, new = weights(5)["fc1.weight"].astype(float), weights(6)["fc1.weight"]
    expected = np.linalg.norm(old - new) / np.linalg.norm(old)
    assert distances(audit)["fc1.weight"] == pytest.approx(expected, rel=1e-9)


def test_a_base_that_is_younger_than_what_was_made_from_it_has_to_do(server, tmp_path):
    push(server, 6)
    server.repos[NAME].card = {"base_model": "acme/base"}
    base = server.push("acme/base", {"model.safetensors": save(weights(5))})
    with watched(server, tmp_path, baseline=["base_model"], repos=[NAME]) as hub:
        [audit] = once(hub.app).audited
    assert audit["comparison"]["baseline"]["version"] == base.sha


def test_a_renamed_repository_keeps_its_audits_and_its_baseline(server, hub):
    first = push(server, 0)
    once(hub.app)
    server.rename(NAME, "acme/bigger")
    assert once(hub.app).audited == []
    second = server.push("acme/bigger", {"model.safetensors": save(weights(7))}).sha
    [audit] = once(hub.app).audited
    assert (audit["model"]["name"], audit["model"]["version"]) == ("acme/bigger", second)
    assert audit["comparison"]["baseline"]["version"] == first
    assert [point["version"] for point in audit["trend"]] == [first]


def test_a_gated_repository_is_refused_with_what_to_do(server, hub):
    push(server, 0)
    server.repos[NAME].gated = "auto"
    outcome = once(hub.app)
    [(version, reason)] = outcome.refused
    assert version.id.model == NAME
    assert version.facts["gated"] == "auto"
    assert "is gated; accept its conditions on its page" in reason
    assert outcome.exit_code == 0


def test_a_commit_that_vanished_before_its_audit_is_gone_and_the_next_goes_on(server, hub):
    push(server, 0)
    lost = push(server, 1)
    sweep(hub.app, Outcome())
    server.rewind(NAME)
    kept = push(server, 2)
    outcome = once(hub.app)
    assert kept in verdicts(outcome)
    assert lost not in verdicts(outcome)
    assert "was rewritten" in hub.gone[lost]


def test_a_second_sweep_is_one_request(server, hub):
    push(server, 0)
    once(hub.app)
    before = len(server.asked)
    once(hub.app)
    assert len(server.asked) - before == 1
