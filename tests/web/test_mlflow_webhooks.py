"""MLflow's own webhooks, from a real server over HTTP to ours, and what registers them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from auditor.cli import run
from auditor.errors import SourceError, UsageError
from auditor.sources.mlflow import Mlflow
from auditor.web.registering import PATH, needed, register, remove, webhooks
from tests.mlflow_server import Server, running, serve
from tests.models import weights, write
from tests.web.houses import Asked, house, served

SECRET = "a secret of more than thirty-two characters"  # noqa: S105 - of a test
SETTINGS = {  # without them MLflow calls nobody on this machine, and only after a minute
    "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
    "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
    "MLFLOW_WEBHOOK_CACHE_TTL": "1",
    "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": Fernet.generate_key().decode(),
}
PATIENCE = 120  # seconds a delivery may take on a busy machine

pytestmark = pytest.mark.wide


@pytest.fixture(scope="module")
def calling(tmp_path_factory) -> Iterator[Server]:
    """An MLflow server that may call this machine; that of other tests, begun before, may not."""
    running()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        with serve(tmp_path_factory.mktemp("calling")) as server:
            yield server


@contextmanager
def listened(at: Path, server: Server, secret: str = SECRET) -> Iterator[Asked]:
    """Our server, for one source; its webhooks are gone afterwards."""
    source = Mlflow(server.uri, webhook_secret=secret)
    with house(at, source) as found, served(found) as asked:
        yield asked
        for hook in webhooks(source):
            remove(source, hook.id)


def source_of(asked: Asked) -> Mlflow:
    source = asked.house.sources["mlflow"]
    assert isinstance(source, Mlflow)
    return source


def hinted(asked: Asked) -> list[str]:
    return [hint.model for hint in asked.house.ledger.hints()]


def test_a_registered_version_is_a_hint_within_seconds(tmp_path, calling):
    with listened(tmp_path, calling) as asked:
        source = source_of(asked)
        [made] = register(source, asked.url + PATH)
        assert (made.is_new, made.failure) == (True, None)
        assert made.webhook.events == ("model_version.created",)
        assert hinted(asked) == ["example_model"]  # the delivery on trial looks like any other
        assert list(source.look("example_model")) == []  # and leads to nothing

        asked.nudged.clear()
        name = calling.model()
        write(tmp_path / "w", weights())
        content = (tmp_path / "w" / "model.safetensors").read_bytes()
        calling.register(name, {"model.safetensors": content})
        assert asked.nudged.wait(PATIENCE)
        assert hinted(asked) == ["example_model", name]
        calling.client.set_model_version_tag(name, "1", "auditor.verdict", "PASS")  # no echo

        [again] = register(source, asked.url + PATH)
        assert (again.is_new, again.failure, again.webhook.id) == (False, None, made.webhook.id)
        assert [hook.id for hook in webhooks(source)] == [made.webhook.id]
        assert hinted(asked) == ["example_model", name, "example_model"]  # the tag is none


def test_a_delivery_that_is_refused_is_said_at_once(tmp_path, calling):
    with listened(tmp_path, calling) as asked:
        other = replace(source_of(asked), webhook_secret="another one")  # noqa: S106
        [made] = register(other, asked.url + PATH)
        assert made.failure is not None
        assert "403" in made.failure
        assert "webhook_secret" in made.failure
        assert hinted(asked) == []


def test_nobody_listening_is_said_at_once(tmp_path, calling):
    with listened(tmp_path, calling) as asked:
        source, url = source_of(asked), asked.url
    [made] = register(source, url + PATH)
    assert made.failure
    remove(source, made.webhook.id)
    with pytest.raises(UsageError, match="auditor webhook list"):
        remove(source, made.webhook.id)


def test_a_server_that_may_not_call_here_says_which_settings_it_needs(calling):
    assert running().uri != calling.uri
    source = Mlflow(running().uri, webhook_secret=SECRET)
    with pytest.raises(SourceError) as caught:
        list(register(source, "http://127.0.0.1:8765" + PATH))
    said = str(caught.value)
    for setting in SETTINGS:
        assert setting in said
    assert SECRET not in said


def test_the_commands_register_list_and_remove(tmp_path, calling, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("secret").write_text(SECRET)
    with listened(tmp_path, calling) as asked:
        Path("config.yaml").write_text(
            f"sources: [{{kind: mlflow, uri: '{calling.uri}', webhook_secret_file: secret}}]\n"
            f"server: {{url: '{asked.url}'}}\n"
        )
        assert run(["webhook", "register"]) == 0
        said = capsys.readouterr().out
        assert f"to {asked.url}{PATH}" in said
        assert said.endswith("The delivery on trial arrived.\n")
        assert "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY" in said
        assert run(["webhook", "list"]) == 0
        listed = capsys.readouterr().out.split()
        assert listed[1:] == ["auditor", "active", "model_version.created", asked.url + PATH]
        assert run(["webhook", "remove", listed[0]]) == 0
        assert run(["webhook", "remove", listed[0]]) == 2
        assert run(["webhook", "list"]) == 0
    out, error = capsys.readouterr()
    assert out == f"removed webhook {listed[0]}\n"
    assert "no webhook" in error
    assert SECRET not in said + out + error


@pytest.mark.parametrize(
    "url",
    [
        "",
        "auditor.example/webhooks/mlflow",
        "ftp://auditor.example/webhooks/mlflow",
        "https://auditor.example/",
        "https://user:pass@auditor.example/webhooks/mlflow",
        "https://auditor.example/" + "x" * 500 + PATH,
    ],
)
def test_an_address_that_cannot_be_called_is_refused_before_anything_is_asked(url):
    source = Mlflow("http://127.0.0.1:9", webhook_secret=SECRET)
    with pytest.raises(UsageError, match="no address for the webhook") as caught:
        list(register(source, url))
    assert "pass@" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (Mlflow("http://127.0.0.1:9"), "has no webhook_secret"),
        (Mlflow("sqlite:///x.db", webhook_secret=SECRET), "sent by an MLflow server"),
    ],
)
def test_a_source_that_can_have_no_webhook_says_why(source, said):
    with pytest.raises(UsageError, match=said):
        list(register(source, "https://auditor.example" + PATH))


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        ("https://auditor.example.com/webhooks/mlflow", []),
        ("http://auditor.example.com/webhooks/mlflow", ["SCHEMES"]),
        ("https://10.1.2.3/webhooks/mlflow", ["PRIVATE"]),
        ("https://[fd00::1]/webhooks/mlflow", ["PRIVATE"]),
        ("http://auditor:8765/webhooks/mlflow", ["SCHEMES", "PRIVATE"]),
        ("https://auditor.internal/webhooks/mlflow", ["PRIVATE"]),
    ],
)
def test_only_the_settings_that_an_address_needs_are_named(url, settings):
    found = " ".join(needed(url))
    named = [part for part in ("SCHEMES", "PRIVATE") if f"_{part}" in found]
    assert named == settings
    assert "ENCRYPTION_KEY" in found
