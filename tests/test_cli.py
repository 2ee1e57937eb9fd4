"""Commands as a person types them, in a process of their own where that matters."""

import json
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import psutil
import pytest

from auditor import schema
from auditor.cli import run
from tests import models
from tests.faults.daemon import audits
from tests.models import weights, write


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder, and no registry in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


def test_audit_prints_the_verdict_and_writes_the_report(here, capsys):
    write(here / "net", weights())
    assert run(["audit", "net", "--out", "out"]) == 0
    line, *paths = capsys.readouterr().out.splitlines()
    assert line.startswith("● PASS net ")
    assert sorted(Path(path.strip()).suffix for path in paths) == [".html", ".json"]
    assert all(Path(path.strip()).is_file() for path in paths)


def test_json_is_one_valid_document_on_stdout_and_leaves_nothing_behind(here, capsys):
    write(here / "net", weights())
    before = sorted(here.rglob("*"))
    assert run(["audit", "net", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, schema.audit())
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize(
    ("change", "policy", "fail_on", "code"),
    [
        ({}, "recommended", "block", 0),
        ({"fc2.weight": models.collapsed()}, "recommended", "block", 1),
        ({"fc2.weight": models.collapsed()}, "recommended", "never", 0),
        ({"fc2.weight": models.collapsed()}, "observe", "block", 0),
        ({"fc2.weight": models.collapsed()}, "observe", "review", 4),
    ],
)
def test_the_exit_code_tells_the_verdict(here, change, policy, fail_on, code):
    write(here / "net", weights(**change))
    asked = ["audit", "net", "--policy", policy, "--fail-on", fail_on, "--out", "out"]
    assert run(asked) == code


def test_audit_against_a_baseline_compares_by_name(here, capsys):
    write(here / "old", weights(), day=1)
    scaled = {"fc1.weight": 0.01 * weights()["fc1.weight"]}
    write(here / "new", weights(**scaled), day=2)
    asked = ["audit", "new", "--baseline", "old", "--policy", "recommended", "--json"]
    assert run(asked) == 1
    document = json.loads(capsys.readouterr().out)
    assert "became 100 times smaller" in document["reason"]
    by_name = {layer["name"]: layer for layer in document["comparison"]["layers"]}
    assert by_name["fc1.weight"]["relative"] == pytest.approx(0.99, rel=1e-6)
    assert by_name["fc2.weight"]["delta_W"] == 0.0


def broken(here):
    (here / "empty").mkdir()
    (here / "notes").mkdir()
    (here / "notes/README.md").write_text("no weights")
    (here / "typo.yaml").write_text("sorces: []\n")
    (here / "list.yaml").write_text("- a\n")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["audit", "nowhere.pt"], "nowhere.pt does not exist"),
        (["audit", "empty"], "empty holds no files"),
        (["audit", "notes"], "no weight file in notes: found README.md"),
        (["audit", "s3://bucket/x"], "no reader for s3:/ references"),
        (["audit", "models:/net/1"], "set MLFLOW_TRACKING_URI"),
        (["audit", "notes", "--policy", "strickt"], "did you mean strict?"),
        (["audit", "notes", "--format", "pdf"], "--format pdf: no such format"),
        (["audit", "notes", "--config", "typo.yaml"], "typo.yaml:1: sorces: no such setting"),
        (["audit", "notes", "--config", "gone.yaml"], "gone.yaml: there is no such file"),
        (["audit"], "Missing argument 'REF'"),
        (["audit", "notes", "--jsn"], "No such option: --jsn"),
        (["audit", "notes", "--fail-on", "all"], "'--fail-on': 'all' is not one of 'block', "),
        (["history", "net", "--of", "p5"], "'--of': 'p5' is not one of 'median', 'mean'. See "),
        (["analyze", "notes", "--convention", "ww"], "convention: found 'ww'"),
        (["analyze", "nowhere.pt"], "nowhere.pt does not exist"),
        (["once"], "config.yaml: there is no such file"),
        (["once", "--config", "list.yaml"], "list.yaml:1: expected keys"),
        (["report", "gone.json"], "gone.json cannot be read"),
        (["report", "typo.yaml"], "typo.yaml is not JSON"),
        (["frobnicate"], "No such command 'frobnicate'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_a_line_on_stderr_and_exit_code_2(here, capsys, command, said):
    broken(here)
    before = sorted(here.rglob("*"))
    assert run(command) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    assert said in streams.err
    assert "Traceback" not in streams.err
    assert all(line.startswith("auditor") for line in streams.err.splitlines())
    assert sorted(here.rglob("*")) == before


def test_an_unreachable_registry_is_a_line_and_exit_code_2(here, capsys, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{here}/none.db")
    assert run(["audit", "models:/net/1"]) == 2
    assert "there is no MLflow database" in capsys.readouterr().err
    assert not (here / "none.db").exists()


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"not weights at all", b"PK\x03\x04"])
def test_a_file_that_cannot_be_parsed_is_incomplete_and_exit_code_3(here, capsys, content):
    (here / "model.safetensors").write_bytes(content)
    assert run(["audit", "model.safetensors", "--out", "out"]) == 3
    assert capsys.readouterr().out.startswith("◌ INCOMPLETE model.safetensors")
    assert run(["analyze", "model.safetensors"]) == 3


def test_a_file_named_by_a_person_is_read_whatever_its_suffix(here, capsys):
    write(here / "net", weights())
    (here / "net" / "model.safetensors").rename(here / "weights.dat")
    (here / "notes.dat").write_text("no weights")
    assert run(["audit", "weights.dat", "--out", "out"]) == 0
    assert run(["audit", "notes.dat", "--out", "out"]) == 3
    assert "unknown format" in capsys.readouterr().out


def test_once_audits_what_is_new_and_then_nothing(here, capsys):
    write(here / "models/net/1", weights(), day=1)
    models.config(here)
    assert run(["once"]) == 0
    assert capsys.readouterr().out.startswith("● PASS net 1")
    assert run(["once"]) == 0
    assert capsys.readouterr().out == "nothing new\n"


def test_backfill_says_what_it_takes_and_does_it(here, capsys):
    for number in (1, 2):
        write(here / f"models/net/{number}", weights(number), day=number)
    models.config(here, sources="[{kind: folder, root: models, history: 1, settle: 0}]")
    run(["once"])
    capsys.readouterr()
    assert run(["backfill", "folder", "--versions", "all"]) == 0
    estimate, verdict = capsys.readouterr().out.splitlines()
    assert estimate.startswith("folder: 1 older versions of 1 models")
    assert verdict.startswith("● PASS net 1")
    assert run(["backfill", "folder", "--versions", "many"]) == 2
    assert run(["backfill", "hub", "--versions", "1"]) == 2


DECIDE = ["--by", "a.ruiz", "--reason", "evaluated"]


def test_an_accepted_version_becomes_the_baseline_and_its_findings_gate_no_more(here, capsys):
    write(here / "models/net/1", weights(), day=1)
    write(here / "models/net/2", weights(2, **{"fc2.weight": models.collapsed()}), day=2)
    models.config(here)
    run(["once"])
    assert run(["accept", "models/net/2", *DECIDE]) == 0
    assert "accepted" in capsys.readouterr().out
    write(here / "models/net/3", weights(3, **{"fc2.weight": 2 * models.collapsed()}), day=3)
    run(["once"])
    stored = json.loads((here / "reports/folder/net/3.json").read_text())
    assert stored["comparison"]["baseline"]["version"] == "2"
    found = {finding["check"]: finding["origin"] for finding in stored["findings"]}
    assert found["rank_collapse"] == "accepted"
    assert stored["verdict"] == "PASS"


@pytest.mark.wide
def test_a_rejected_version_is_no_baseline(here):
    for number in (1, 2):
        write(here / f"models/net/{number}", weights(number), day=number)
    models.config(here)
    run(["once"])
    assert run(["reject", "models/net/2", *DECIDE]) == 0
    write(here / "models/net/3", weights(3), day=3)
    run(["once"])
    stored = json.loads((here / "reports/folder/net/3.json").read_text())
    assert stored["comparison"]["baseline"]["version"] == "1"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["accept", "models/net/1", *DECIDE], "there is no ledger yet"),
        (["accept", "models/net/1", "--by", "me"], "Missing option '--reason'"),
        (["reject", "models/net/1", "--by", " ", "--reason", "x"], "needs a name and a reason"),
        (["reject", "nowhere", *DECIDE], "nowhere does not exist"),
    ],
)
def test_a_decision_on_nothing_is_a_line_and_exit_code_2(here, capsys, asked, said):
    write(here / "models/net/1", weights(), day=1)
    models.config(here)
    assert run(asked) == 2
    assert said in capsys.readouterr().err
    assert not (here / "auditor.db").exists()


def test_a_stored_document_gives_the_same_report_again(here):
    write(here / "net", weights())
    run(["audit", "net", "--out", "out"])
    page = next((here / "out").rglob("*.html"))
    written, stored = page.read_bytes(), page.with_suffix(".json")
    page.unlink()
    assert run(["report", str(stored), "--format", "html,md,csv"]) == 0
    assert page.read_bytes() == written
    assert page.with_suffix(".md").is_file()


def test_analyze_prints_a_table_or_csv_or_json(here, capsys):
    write(here / "net", weights())
    assert run(["analyze", "net"]) == 0
    assert "fc1.weight" in capsys.readouterr().out
    assert run(["analyze", "net", "--csv"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.startswith("name,index,block,kind")
    assert len(rows) == 3
    assert run(["analyze", "net", "--json", "--intervals", "--randomize", "--mp-fit"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, schema.analysis())
    assert {"alpha_lo", "num_traps", "num_spikes"} <= document["layers"][0].keys()


def test_a_hostile_name_does_not_reach_the_terminal_as_it_is(here, capsys):
    write(here / "net", {"\x1b[31mred\n\u202e": weights()["fc1.weight"]})
    run(["analyze", "net"])
    assert "\x1b" not in capsys.readouterr().out


def test_dry_run_reads_no_weights_and_writes_nothing(here, capsys):
    write(here / "net", weights())
    assert run(["audit", "net", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "1 weight file, " in said
    assert "4, 3 of them matrices" in said
    assert sorted(path.name for path in here.iterdir()) == ["net"]


def test_deliver_records_the_audit_and_gives_it_to_the_sinks(here, capsys):
    write(here / "net", weights())
    models.config(here)
    (here / "models").mkdir()
    assert run(["audit", "net", "--deliver", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "PASS"
    assert (here / "auditor.db").is_file()
    assert list((here / "reports").rglob("*.html"))


@pytest.mark.parametrize("name", ["config", "audit", "analysis"])
def test_every_schema_is_printed_and_valid(capsys, name):
    assert run(["config", "schema", name]) == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(capsys.readouterr().out))


def test_doctor_says_what_is_wrong(here, capsys):
    models.config(here)
    assert run(["doctor"]) == 2
    assert "BAD  source folder: " in capsys.readouterr().out
    (here / "models").mkdir()
    assert run(["doctor"]) == 0


COMMANDS = [
    *("audit", "analyze", "once", "backfill", "accept", "reject", "report"),
    *("config check", "status", "doctor", "demo"),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_has_an_example(capsys, command):
    assert run([*command.split(), "--help"]) == 0
    assert f"  auditor {command}" in capsys.readouterr().out


def test_help_loads_nothing_slow():
    code = (
        "import sys; from auditor.cli import run; run(['--help']);"
        "sys.exit(str([m for m in ('numpy', 'torch', 'mlflow', 'pandas') if m in sys.modules]))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.stderr.strip() == "[]"


def test_a_reading_process_that_is_killed_is_a_line_and_exit_code_3(here):
    write(here / "net", weights())
    command = [sys.executable, "-m", "auditor", "audit", "net"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=here) as process:  # noqa: S603
        program = psutil.Process(process.pid)
        while not (children := program.children()) and process.poll() is None:
            time.sleep(0.01)
        children[0].kill()  # it is still importing what it needs
        _, said = process.communicate()
    assert process.returncode == 3
    assert said.startswith("auditor: the process that read net ended by signal 9 (SIGKILL")
    assert len(said.splitlines()) == 1


@pytest.mark.wide
def test_interrupting_keeps_what_was_finished_and_says_so(here):
    """Control-C in the middle of a run is one line, and the next run goes on.

    The signal comes with the first of five audits: processes are still to be started, so the
    run is far from its end however busy the machine is. Reports may come much later.
    """
    for number in range(1, 6):
        write(here / f"models/net/{number}", weights(number), day=number)
    models.config(here)
    command = [sys.executable, "-m", "auditor", "once"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=here) as process:  # noqa: S603
        while not audits(here) and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(2)
        _, said = process.communicate()
    assert said == "auditor: interrupted; what was finished is kept\n"
    assert process.returncode == 130
    assert len(list(here.glob("reports/folder/net/*.html"))) < 5
    assert run(["once", "--config", str(here / "config.yaml")]) == 0
    assert len(list(here.glob("reports/folder/net/*.html"))) == 5
