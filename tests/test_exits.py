"""Exit codes of ``audit`` through the command line, verdict by verdict."""

from pathlib import Path

import pytest
from safetensors.numpy import save_file

from auditor.cli import run
from auditor.exits import FailOn, exit_code
from auditor.records import Verdict
from tests import models
from tests.models import weights

CODES = {  # verdict: exit code by --fail-on block, review, never
    Verdict.PASS: (0, 0, 0),
    Verdict.REVIEW: (0, 4, 0),
    Verdict.BLOCK: (1, 1, 0),
    Verdict.INCOMPLETE: (3, 3, 3),
}
NO_BASELINE = "extends: recommended\nbaseline: warn\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a file for every verdict, and no registry in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    save_file(weights(), tmp_path / "PASS")
    save_file(weights(), tmp_path / "REVIEW")
    save_file(weights(**{"fc2.weight": models.collapsed()}), tmp_path / "BLOCK")
    (tmp_path / "INCOMPLETE").write_bytes((tmp_path / "PASS").read_bytes()[:-100])
    (tmp_path / "policy.yaml").write_text(NO_BASELINE)
    return tmp_path


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_has_its_code_for_every_patience(verdict):
    assert tuple(exit_code(verdict, patience) for patience in FailOn) == CODES[verdict]


@pytest.mark.wide  # each is an audit in a process of its own
@pytest.mark.parametrize(
    ("verdict", "patience"),
    [
        *((verdict, FailOn.REVIEW) for verdict in Verdict),
        (Verdict.REVIEW, FailOn.BLOCK),
        (Verdict.BLOCK, FailOn.NEVER),
        (Verdict.INCOMPLETE, FailOn.NEVER),
    ],
)
@pytest.mark.usefixtures("here")
def test_the_command_ends_with_the_code_of_its_verdict(capsys, verdict, patience):
    policy = "policy.yaml" if verdict is Verdict.REVIEW else "recommended"
    asked = ["audit", str(verdict), "--policy", policy, "--fail-on", patience, "--out", "out"]
    assert run(asked) == CODES[verdict][list(FailOn).index(patience)]
    assert f" {verdict} {verdict} " in capsys.readouterr().out


@pytest.mark.usefixtures("here")
def test_every_format_is_written_whatever_the_verdict(capsys):
    formats = "html,json,csv,findings,md,junit,sarif"
    assert run(["audit", "INCOMPLETE", "--format", formats, "--out", "out"]) == 3
    _, *paths = capsys.readouterr().out.splitlines()
    ends = ["html", "json", "csv", "findings.csv", "md", "junit.xml", "sarif"]
    assert [Path(path.strip()).name.partition(".")[2] for path in paths] == ends
    assert all(Path(path.strip()).stat().st_size for path in paths)
