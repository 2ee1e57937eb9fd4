"""Unity Catalog, as far as its documented requests go: mlflow's own client against a local server.

Databricks itself has not been asked; this holds the requests to the documentation.
"""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from auditor.ledger import Ledger
from auditor.records import Gone, Reached
from auditor.sources.mlflow import Mlflow
from tests import told
from tests.watching import news, noted, watch

CREATED = 1_767_225_600_000  # ms


@dataclass
class Catalog:
    """What the server holds: models, each with its versions; and what it was asked."""

    models: dict[str, list[int]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)

    def answer(self, path: str) -> dict[str, Any]:
        split = urlsplit(path)
        given = parse_qs(split.query)
        if split.path.endswith("/registered-models/search"):
            self.asked.append(("models", given))
            return self._page(int(given.get("page_token", ["0"])[0]))
        if split.path.endswith("/model-versions/search"):
            self.asked.append(("versions", given))
            name = given["filter"][0].removeprefix("name='").removesuffix("'")
            return {"model_versions": [_version(name, one) for one in self.models.get(name, ())]}
        return {}

    def _page(self, start: int) -> dict[str, Any]:
        """Two models a page."""
        names = sorted(self.models)
        page = [{"name": name} for name in names[start : start + 2]]
        more = {"next_page_token": str(start + 2)} if start + 2 < len(names) else {}
        return {"registered_models": page, **more}


def _version(name: str, number: int) -> dict[str, str]:
    return {
        "name": name,
        "version": str(number),
        "creation_timestamp": str(CREATED + number),
        "source": f"dbfs:/{name}/{number}",
        "status": "READY",
        "run_id": "0" * 32,
    }


@pytest.fixture
def catalog(monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
    held = Catalog({"main.ml.digits": [1, 2], "main.ml.faces": [1], "main.lab.scratch": [1]})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(held.answer(self.path)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        monkeypatch.setenv("DATABRICKS_HOST", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("DATABRICKS_TOKEN", "a token")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield held
        server.shutdown()
        thread.join()


def test_a_look_is_a_request_for_a_page_of_models_and_one_for_each_watched(catalog):
    source = Mlflow("databricks-uc", models=("main.ml.*",))
    found = [str(seen.version.id) for seen in told.seen(source)]
    assert found == [
        "mlflow:main.ml.digits@1",
        "mlflow:main.ml.digits@2",
        "mlflow:main.ml.faces@1",
    ]
    kinds = [kind for kind, _ in catalog.asked]
    assert sorted(kinds) == ["models", "models", "versions", "versions"]
    assert not any({"order_by", "filter_string"} & given.keys() for _, given in catalog.asked)


def test_new_and_deleted_versions_are_told_at_the_next_look(catalog, tmp_path):
    ledger = Ledger.open(f"sqlite:///{tmp_path}/auditor.db")
    source = Mlflow("databricks-uc", history=None)
    assert watch(source, ledger)[1] == 4
    catalog.models["main.ml.digits"] = [2, 3]
    del catalog.models["main.lab.scratch"]
    changes, waits = watch(source, ledger)
    assert waits == 1
    gone = {str(one.version.id) for one in changes if isinstance(one, Gone)}
    assert gone == {"mlflow:main.ml.digits@1", "mlflow:main.lab.scratch@1"}
    assert news(source, ledger) == []
    assert len(noted(source, ledger)) == 3
    ledger.close()


@pytest.mark.usefixtures("catalog")
def test_it_says_that_nobody_has_tried_it():
    *_, end = Mlflow("databricks-uc").changes(None)
    assert isinstance(end, Reached)
    assert "nobody has tried it" in end.remarks["Unity Catalog"]
