"""``auditor policy``, and what other commands say of policies."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from auditor.cli import run
from auditor.ledger import Ledger
from tests.ledger.makers import START, audited, finding, version

ENDED = (datetime.now(UTC) - timedelta(days=2)).date()
OURS = f"""
baseline: warn
rules:
  - {{check: over_trained, level: error, max: 2, model: "prod-*"}}
waivers:
  - {{check: all_zero, model: "mlflow:*", reason: known, owner: a.ruiz, expires: {ENDED}}}
  - {{check: all_zero, model: "hub:*", reason: known, owner: a.ruiz, expires: {ENDED}}}
"""


@pytest.fixture(autouse=True)
def project(folder, monkeypatch):
    root = folder(
        policy=OURS,
        config="sources: [{kind: mlflow, uri: 'sqlite:///m.db'}]\npolicy: policy.yaml\n",
    )
    monkeypatch.chdir(root)
    monkeypatch.delenv("AUDITOR_FLOOR", raising=False)
    return root


def said(capsys, *arguments):
    code = run(list(arguments))
    return code, *capsys.readouterr()


def test_explain_takes_a_name_where_there_is_one_source(capsys):
    by_name = said(capsys, "policy", "explain", "prod-digits")
    assert by_name == said(capsys, "policy", "explain", "mlflow:prod-digits")
    assert by_name[0] == 0
    assert "(policy.yaml, line 4)" in by_name[1]


def test_explain_asks_which_source_where_there_are_several(project, capsys):
    (project / "config.yaml").write_text(
        "sources: [{kind: folder, root: a}, {kind: folder, root: b, name: other}]\n"
    )
    code, _, err = said(capsys, "policy", "explain", "digits")
    assert (code, err) == (
        2,
        "auditor: digits may be a model of several sources; say folder:digits or other:digits\n",
    )
    assert said(capsys, "policy", "explain", "other:digits")[0] == 0


def test_explain_knows_the_sources(capsys):
    code, _, err = said(capsys, "policy", "explain", "mlfow:digits")
    assert (code, "did you mean mlflow?" in err) == (2, True)


@pytest.mark.parametrize("name", ["./nope", "/nope", "hf:/x", "s3://x/y"])
def test_explain_of_a_path_that_is_not_there_is_a_mistake(capsys, name):
    assert said(capsys, "policy", "explain", name)[0] == 2


@pytest.mark.parametrize("name", ["", "a" * 5000, "a\nb", "\udc80", "org/name", "*"])
def test_explain_takes_any_name(capsys, name):
    code, out, err = said(capsys, "policy", "explain", f"mlflow:{name}")
    assert (code, err) == (0, "")
    assert len(out.splitlines()) > 10


def test_explain_as_json_is_one_document(capsys):
    found = json.loads(said(capsys, "policy", "explain", "x", "--policy", "strict", "--json")[1])
    assert (found["model"], found["parts"][0]["name"]) == ("mlflow:x", "strict")
    assert found["remarks"] == []


def test_check_says_what_does_not_fit(project, capsys):
    (project / "policy.yaml").write_text("extends: []\nchecks: {all_zero: warn}")
    assert said(capsys, "policy", "check", "policy.yaml") == (
        0,
        "ok: policy policy; rules 1; waivers 0\n",
        "",
    )
    (project / "policy.yaml").write_text("checks: {nope: off}")
    code, _, err = said(capsys, "policy", "check", "policy.yaml")
    assert (code, err.startswith("auditor: policy.yaml:1: checks.nope: no such check")) == (2, True)


def test_check_is_about_files(capsys):
    for name in ("nope.yaml", "."):
        assert said(capsys, "policy", "check", name)[0] == 2


def test_config_check_reads_policy_and_floor_and_says_what_nobody_measures(project, capsys):
    (project / "policy.yaml").write_text("rules: [{metric: ERG_gap, of: p5, level: warn, max: 1}]")
    text_ = (project / "config.yaml").read_text()
    (project / "config.yaml").write_text(text_ + "floor: strict\n")
    code, out, _ = said(capsys, "config", "check")
    assert code == 0
    assert out.splitlines() == [
        "ok: sources mlflow; sinks files, mlflow; policy policy, on the floor strict",
        "note: ERG_gap is not measured by the configured analysis; analysis.detX: true adds it",
    ]


def test_waivers_are_listed_and_status_reminds_of_them(project, capsys):
    def listed():
        return json.loads(said(capsys, "policy", "waivers", "--json")[1])

    assert {one["stale"] for one in listed()} == {None}
    ledger = Ledger.open(f"sqlite:///{project / 'auditor.db'}")
    rank = finding("all_zero", None)
    ledger.save(version(1), audited(version(1), findings=[rank]), sinks=[], at=START)
    ledger.close()
    found = listed()
    assert [(one["source"], one["stale"], one["state"]) for one in found] == [
        ("policy.yaml, line 6", False, "expired"),
        ("policy.yaml, line 7", True, "expired"),
    ]
    code, out, _ = said(capsys, "policy", "waivers")
    assert (code, out.count("; it covers nothing any more")) == (0, 1)
    assert (
        "  note: waivers: 2 expired, 1 covering nothing any more; auditor"
        in said(capsys, "status")[1]
    )
    (project / "policy.yaml").write_text("{}")
    assert said(capsys, "policy", "waivers")[:2] == (0, "there are no waivers\n")
    assert "note:" not in said(capsys, "status")[1]
    (project / "policy.yaml").write_text("checks: 7")
    assert "policy.yaml:1: checks: found 7" in said(capsys, "status")[1]
