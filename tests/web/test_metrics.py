"""What Prometheus gets: held to its own parsers, to the ledger, and to the page about it."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus
from ruamel.yaml import YAML

from auditor.ledger import Told
from auditor.records import Trouble, Verdict
from tests.ledger.makers import audited, layer, version, versions
from tests.web.standing_house import NOW, house, served

ROOT = Path(__file__).parents[2]
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def home(tmp_path):
    with house(tmp_path) as made:
        yield made


@pytest.fixture
def scrape(home):
    with served(home) as address:
        yield lambda **headers: ask(address, **headers)


def ask(address, **headers):
    found = requests.get(f"{address}/metrics", headers=headers, timeout=30)
    assert found.status_code == 200
    return found


def samples(answer):
    """The value of every sample, by name and labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in prometheus(answer.text)
        for sample in family.samples
    }


def save(home, of, verdict, at, **more):
    home.ledger.save(of, audited(of, verdict=verdict, **more), sinks=["files"], at=at)


def test_an_empty_ledger_has_every_label_that_is_known(scrape):
    found = samples(scrape())
    assert found["auditor_ledger_up",] == 1
    assert [found["auditor_audits_total", verdict] for verdict in Verdict] == [0, 0, 0, 0]
    assert found["auditor_queue_waiting", "registration"] == 0
    assert found["auditor_deliveries_waiting", "registry"] == 0
    assert found["auditor_messages_failing", "team"] == 0
    assert found["auditor_alarms", "overdue"] == 0
    assert found["auditor_source_up", "hub"] == 1
    assert ("auditor_source_last_success_seconds", "hub") not in found
    assert ("auditor_registration_to_verdict_seconds", "0.5") not in found
    assert found["process_open_fds",] > 0


def test_the_numbers_are_those_of_the_ledger(home, scrape):
    home.ledger.note("mlflow", Told(versions(0), cursor="c"), NOW - DAY, history=None)
    made = version(1, day=(NOW - HOUR - version(0).created_at) / DAY)
    told = Told([made, *versions(1, model="b")], [Trouble("c", "is gated")], cursor="c")
    home.ledger.note("mlflow", told, NOW - HOUR, history=None)
    home.ledger.unreachable("hub", "no answer", NOW)
    save(home, version(0), Verdict.PASS, NOW - DAY, layers=[layer("fc", 0), layer("head", 1)])
    save(home, made, Verdict.BLOCK, NOW - HOUR + MINUTE)
    found = samples(scrape())
    assert found["auditor_audits_total", "BLOCK"] == 1
    assert found["auditor_bytes_read_total",] == 18
    assert (found["auditor_layer_seconds_count",], found["auditor_layer_seconds_sum",]) == (2, 3.0)
    assert (found["auditor_versions", "done"], found["auditor_versions", "pending"]) == (2, 1)
    assert found["auditor_model_verdicts", "BLOCK"] == 1
    assert found["auditor_version_verdicts", "PASS"] == 1
    assert found["auditor_queue_waiting", "registration"] == 1
    assert found["auditor_queue_oldest_seconds",] == 3600
    assert found["auditor_source_last_success_seconds", "mlflow"] == 3600
    assert (
        found["auditor_source_last_success_timestamp_seconds", "mlflow"] == (NOW - HOUR).timestamp()
    )
    assert (found["auditor_source_up", "mlflow"], found["auditor_source_up", "hub"]) == (1, 0)
    assert found["auditor_source_overdue", "mlflow"] == 1
    assert found["auditor_source_troubles", "mlflow"] == 1
    assert found["auditor_registration_to_verdict_seconds", "0.95"] == pytest.approx(60)
    assert found["auditor_registration_to_verdict_versions",] == 1
    assert found["auditor_deliveries_waiting", "files"] == 2
    assert found["auditor_alarms", "unreachable"] == 1


def test_counters_begin_with_the_process_and_never_fall(home):
    save(home, version(1), Verdict.PASS, NOW - 100 * DAY)
    with served(home) as address:
        assert samples(ask(address))["auditor_audits_total", "PASS"] == 0
        save(home, version(1), Verdict.PASS, NOW - 99 * DAY, policy="new")
        assert samples(ask(address))["auditor_audits_total", "PASS"] == 1
        home.ledger.forget(NOW)
        assert samples(ask(address))["auditor_audits_total", "PASS"] == 1


def test_labels_do_not_grow_with_what_is_watched(home, scrape):
    before = set(samples(scrape()))
    seen = [version(1, f"model-{number}") for number in range(50)]
    home.ledger.note("left-over", Told(seen, cursor="c"), NOW, history=None)
    for one in seen:
        save(home, one, Verdict.PASS, NOW)
    assert set(samples(scrape())) == before


def test_a_ledger_that_does_not_answer_is_a_number_too(home, scrape):
    with home.ledger.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE sources")
    found = samples(scrape())
    assert found["auditor_ledger_up",] == 0
    assert not any(name.startswith("auditor_source") for name, *_ in found)
    assert found["process_resident_memory_bytes",] > 0


def test_openmetrics_is_served_to_those_who_ask_for_it(scrape):
    found = scrape(accept="application/openmetrics-text; version=1.0.0")
    assert found.headers["content-type"].startswith("application/openmetrics-text")
    names = {family.name for family in openmetrics(found.text)}
    assert {"auditor_audits", "auditor_build", "auditor_layer_seconds"} <= names


# --- what is written about them -----------------------------------------------------------


def named(scrape):
    return {name for name, *_ in samples(scrape()) if name.startswith("auditor_")}


def test_the_page_lists_every_metric_and_no_other(home, scrape):
    home.ledger.note("mlflow", Told(versions(0), cursor="c"), NOW - DAY, history=None)
    made = version(1, day=(NOW - HOUR - version(0).created_at) / DAY)
    home.ledger.note("mlflow", Told([made], cursor="c"), NOW - HOUR, history=None)
    save(home, made, Verdict.PASS, NOW)
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(auditor_[a-z_]+)", text, re.MULTILINE)
    series = {re.sub(r"_(sum|count)$", "", name) for name in named(scrape)}
    assert set(rows) == series
    assert len(rows) == len(set(rows))


def test_the_example_alerts_use_metrics_that_exist(home, scrape):
    home.ledger.note("mlflow", Told(cursor="c"), NOW, history=None)
    rules = YAML(typ="safe", pure=True).load(ROOT / "docs" / "alerts.yaml")
    alerts = [rule for group in rules["groups"] for rule in group["rules"]]
    there = named(scrape) | {"auditor_registration_to_verdict_seconds"}
    for alert in alerts:
        used = set(re.findall(r"auditor_[a-z_]+", alert["expr"]))
        assert used
        assert used <= there, alert["alert"]
        assert {"alert", "expr", "for", "labels", "annotations"} == alert.keys()
        assert alert["annotations"].keys() == {"summary", "description"}
    assert len({alert["alert"] for alert in alerts}) == len(alerts)
