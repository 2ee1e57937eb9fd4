"""What /openapi.json promises, held to what is answered."""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from auditor.ledger import Told
from auditor.ledger.lead import lead
from auditor.records import Verdict
from tests.ledger.makers import DAY, START, audited, version, versions
from tests.web.houses import Asked, house, models, served

KEPT = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]
FEW = settings(
    derandomize=True, deadline=None, max_examples=40, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module")
def full(tmp_path_factory) -> Iterator[Asked]:
    """Versions in several states, and a folder that has others."""
    at = tmp_path_factory.mktemp("full")
    with house(at, models(at)) as found:
        found.ledger.note("mlflow", Told(versions(1, 2, 3)), START, history=2)
        document = audited(version(2), verdict=Verdict.BLOCK)
        found.ledger.save(version(2), document, sinks=["files"], at=START)
        found.ledger.claim(START, lease=DAY, owner="me")
        leader = lead(found.config.ledger)  # as in a service that is ready
        assert leader.take()
        with served(found) as running:
            yield running
        leader.drop()


def test_every_route_says_what_it_answers(full):
    paths = full.get("/openapi.json").json()["paths"]
    assert {"/api/v1/versions", "/api/v1/audits", "/api/v1/verdict", "/api/v1/status"} <= set(paths)
    for path, methods in paths.items():  # those of pages are for people
        for method, operation in methods.items():
            fine = [code for code in operation["responses"] if code.startswith("2")]
            assert fine, f"{method} {path}"
            for code in fine:
                described = operation["responses"][code].get("content")
                assert described or code == "204" or not path.startswith("/api"), path
            assert {"401", "403", "422", "503"} <= set(operation["responses"]), path
            assert operation["summary"], path


@pytest.mark.wide
def test_whatever_is_asked_is_answered_as_promised(full):
    api = schemathesis.openapi.from_url(full.url + "/openapi.json")
    operations = [found.ok() for found in api.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) > 12
    for operation in operations:

        @FEW
        @given(case=operation.as_strategy())
        def ask(case):
            case.call_and_validate(checks=KEPT, base_url=full.url)

        ask()
