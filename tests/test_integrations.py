"""What CI systems run: the steps of the action and of the template, in a shell as they would."""

import gzip
import json
import os
import re
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar
from xml.etree import ElementTree as ET

import pytest
from ruamel.yaml import YAML
from safetensors.numpy import save_file

from tests import models
from tests.models import weights

pytestmark = pytest.mark.wide  # each job is two or three commands, in processes of their own
FOLDER = Path(__file__).parents[1] / "integrations"
ACTION = FOLDER / "github" / "action.yml"
TEMPLATE = FOLDER / "gitlab" / "auditor.gitlab-ci.yml"
EXPRESSION = re.compile(r"\$\{\{ ([a-z.-]+) \}\}")
INJECTION = "$(touch pwned) `touch pwned` \"; touch pwned; ' ${{ github.token }}"


def parsed(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


def shell(script: str, given: Mapping[str, str], folder: Path, *, strict: str) -> int:
    """Run a script as a runner does: with what it sets, and our interpreter first."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(folder), "LANG": "C.UTF-8", **given}
    done = subprocess.run(  # noqa: S603 - scripts of this repository
        ["bash", *strict.split(), "-c", script],  # noqa: S607
        env=environment,
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )
    print(done.stdout, done.stderr)  # noqa: T201 - shown where a test fails
    return done.returncode


@dataclass
class Job:
    """A job on a runner of GitHub, which runs the steps of the action after its installation."""

    folder: Path
    inputs: Mapping[str, str]
    more: Mapping[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        return (self.folder / "summary").read_text(encoding="utf-8")

    def run(self) -> int:
        action = parsed(ACTION)
        given = {name: of.get("default", "") for name, of in action["inputs"].items()}
        known = {f"inputs.{name}": value for name, value in {**given, **self.inputs}.items()}
        for step in action["runs"]["steps"][1:]:
            if self._is_left_out(step, known):
                continue
            if code := self._step(step, known):
                return code
            known |= {f"steps.audit.outputs.{k}": v for k, v in self.outputs.items()}
        return 0

    def _is_left_out(self, step: Mapping[str, Any], known: Mapping[str, str]) -> bool:
        if "if" not in step:
            return False
        assert step["if"] == "inputs.upload-sarif == 'true' && steps.audit.outputs.verdict != ''"
        return known["inputs.upload-sarif"] != "true" or not self.outputs["verdict"]

    def _step(self, step: Mapping[str, Any], known: Mapping[str, str]) -> int:
        given = {
            name: EXPRESSION.sub(lambda found: known[found[1]], value)
            for name, value in step["env"].items()
        }
        output = self.folder / "output"
        code = shell(
            step["run"],
            {
                "RUNNER_TEMP": str(self.folder),
                "GITHUB_ACTION_PATH": str(ACTION.parent),
                "GITHUB_OUTPUT": str(output),
                "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
                **self.more,
                **given,
            },
            self.folder,
            strict="--noprofile --norc -e -o pipefail",
        )
        lines = output.read_text(encoding="utf-8").splitlines() if output.exists() else []
        self.outputs |= dict(line.split("=", 1) for line in lines)
        return code


@pytest.fixture
def here(tmp_path: Path) -> Path:
    save_file(weights(), tmp_path / "good.safetensors")
    save_file(weights(**{"fc2.weight": models.collapsed()}), tmp_path / "bad.safetensors")
    return tmp_path


# --- GitHub ---------------------------------------------------------------------------------


def test_a_good_model_lets_the_job_go_on_and_its_summary_says_so(here):
    job = Job(here, {"ref": "good.safetensors"})
    assert job.run() == 0
    assert job.outputs["verdict"] == "PASS"
    assert job.summary.startswith("## ● No known symptom: good.safetensors ")
    written = sorted(path.name for path in Path(job.outputs["folder"]).iterdir())
    assert written == ["audit.html", "audit.json", "audit.junit.xml", "audit.md", "audit.sarif"]


def test_a_bad_model_fails_the_job_and_its_outputs_are_there(here):
    job = Job(here, {"ref": "bad.safetensors", "baseline": "good.safetensors"})
    assert job.run() == 1
    assert job.outputs["verdict"] == "BLOCK"
    assert job.outputs["exit-code"] == "1"
    assert "fc2.weight lost its rank" in job.summary


def test_the_inputs_are_those_of_the_command(here):
    policy, config = here / "policy.yaml", models.config(here)
    policy.write_text("extends: observe\n")
    asked = {"ref": "bad.safetensors", "policy": str(policy), "config": str(config)}
    assert Job(here, {**asked, "fail-on": "review"}).run() == 4
    assert Job(here, {**asked, "fail-on": "block"}).run() == 0


def test_what_is_not_there_fails_the_job_with_a_line(here):
    job = Job(here, {"ref": "--help"})
    assert job.run() == 2
    assert job.outputs["verdict"] == ""
    assert job.summary == "Nothing could be audited; the log says why.\n"


@pytest.mark.parametrize("name", ["ref", "baseline", "policy", "fail-on", "config"])
def test_no_input_becomes_part_of_a_script(here, name):
    job = Job(here, {"ref": "good.safetensors", name: INJECTION})
    assert job.run() == 2
    assert not (here / "pwned").exists()


def test_scripts_hold_no_expression_and_no_other_action_is_used():
    for step in parsed(ACTION)["runs"]["steps"]:
        assert step.keys() <= {"name", "id", "if", "shell", "env", "run"}
        assert "${{" not in step["run"]


def test_every_output_of_the_action_is_one_of_its_steps(here):
    job = Job(here, {"ref": "good.safetensors"})
    job.run()
    for output in parsed(ACTION)["outputs"].values():
        named = EXPRESSION.search(output["value"])
        assert named
        assert named[1].removeprefix("steps.audit.outputs.") in job.outputs


class Scanning(BaseHTTPRequestHandler):
    """Speaks as much of GitHub's REST interface as an upload needs."""

    status: ClassVar[int] = 202
    got: ClassVar[list[tuple[str, str, Any]]] = []

    def do_POST(self) -> None:
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.got.append((self.path, self.headers["Authorization"], content))
        answer = b'{"id": "1", "url": "http://x/1"}'
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def github() -> Iterator[Mapping[str, str]]:
    Scanning.got.clear()
    with HTTPServer(("127.0.0.1", 0), Scanning) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield {
            "GITHUB_API_URL": f"http://127.0.0.1:{server.server_port}",
            "GITHUB_REPOSITORY": "org/repo",
            "GITHUB_SHA": "0" * 40,
            "GITHUB_REF": "refs/pull/1/merge",
        }
        server.shutdown()
        thread.join()


def test_findings_are_uploaded_before_the_job_fails(here, github):
    asked = {"ref": "bad.safetensors", "upload-sarif": "true", "token": "secret"}
    job = Job(here, asked, github)
    assert job.run() == 1
    [(path, authorization, content)] = Scanning.got
    assert path == "/repos/org/repo/code-scanning/sarifs"
    assert authorization == "Bearer secret"
    assert (content["commit_sha"], content["ref"]) == ("0" * 40, "refs/pull/1/merge")
    sent = gzip.decompress(b64decode(content["sarif"])).decode()
    assert sent == (Path(job.outputs["folder"]) / "audit.sarif").read_text(encoding="utf-8")


def test_a_token_that_may_not_write_changes_no_verdict(here, github, monkeypatch):
    monkeypatch.setattr(Scanning, "status", 403)
    asked = {"ref": "good.safetensors", "upload-sarif": "true", "token": "of a fork"}
    assert Job(here, asked, github).run() == 0


# --- GitLab ---------------------------------------------------------------------------------


def gitlab(folder: Path, **variables: str) -> int:
    job = parsed(TEMPLATE)[".auditor"]
    given = {name: str(value) for name, value in job["variables"].items()}
    script = "\n".join(job["script"])
    return shell(script, {**given, **variables}, folder, strict="-e -o pipefail")


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"AUDITOR_REF": "good.safetensors"}, 0),
        ({"AUDITOR_REF": "bad.safetensors", "AUDITOR_BASELINE": "good.safetensors"}, 1),
        ({"AUDITOR_REF": "bad.safetensors", "AUDITOR_POLICY": "observe"}, 4),
        ({"AUDITOR_REF": "gone"}, 2),
    ],
)
def test_the_job_ends_as_the_command_does(here, variables, code):
    assert gitlab(here, **variables) == code


def test_the_report_of_the_job_is_where_the_template_says(here):
    gitlab(here, AUDITOR_REF="bad.safetensors")
    artifacts = parsed(TEMPLATE)[".auditor"]["artifacts"]
    suites = ET.parse(here / artifacts["reports"]["junit"]).getroot()  # noqa: S314 - ours
    assert suites[0].attrib["failures"] != "0"
    [folder] = artifacts["paths"]
    assert (here / folder / "audit.html").is_file()


def test_no_variable_becomes_part_of_a_script(here):
    for name in ("AUDITOR_REF", "AUDITOR_BASELINE", "AUDITOR_POLICY", "AUDITOR_FAIL_ON"):
        assert gitlab(here, **{"AUDITOR_REF": "good.safetensors", name: INJECTION}) == 2
    assert not (here / "pwned").exists()
