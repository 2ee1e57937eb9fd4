"""What lies around the code: the image, the CI script, the pins, the licence."""

import json
import os
import re
import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from auditor import METRIC_SET, __version__
from auditor.config.service import Server

BASH = "/bin/bash"
ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def pins() -> dict[str, Requirement]:
    lines = [Requirement(line) for line in text("constraints.txt").splitlines() if line]
    return {canonicalize_name(line.name): line for line in lines}


def instructions() -> list[tuple[str, str]]:
    """(instruction, rest) of the Dockerfile, continued lines joined."""
    joined = re.sub(r"\\\n\s*", " ", text("Dockerfile"))
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def dockerfile(instruction: str) -> list[str]:
    return [rest for name, rest in instructions() if name == instruction]


# --- the image ----------------------------------------------------------------------------


def test_the_image_starts_from_one_pinned_python():
    [base] = dockerfile("FROM")
    assert re.fullmatch(r"python:3\.11-slim-[a-z]+", base)


def test_the_image_does_not_run_as_root_and_stays_so():
    assert dockerfile("USER") == ["auditor"]
    names = [name for name, _ in instructions()]
    assert "RUN" not in names[names.index("USER") :]


def test_the_image_holds_no_secret():
    said = " ".join(dockerfile("ARG") + dockerfile("ENV"))
    assert not re.search(r"token|secret|passw|credential|_key", said, re.IGNORECASE)
    assert not re.search(r"https?://", text("Dockerfile"))


def test_the_image_copies_only_files_that_exist_and_reach_the_builder():
    copied = {name for rest in dockerfile("COPY") for name in rest.split()[:-1]}
    assert all((ROOT / name).exists() for name in copied)
    ignored = text(".dockerignore").split("\n")
    assert ignored[1] == "*"
    assert copied == {line[1:] for line in ignored if line.startswith("!")}


def test_the_image_installs_what_is_pinned_from_where_the_builder_says():
    installs = [rest for rest in dockerfile("RUN") if "pip install" in rest]
    assert len(installs) == 2
    assert all("${PIP_INDEX_ARGS} --constraint constraints.txt" in rest for rest in installs)
    assert 'PIP_INDEX_ARGS=""' in dockerfile("ARG")


def test_the_image_serves():
    assert dockerfile("ENTRYPOINT") == ['["auditor"]']
    assert dockerfile("CMD") == ['["serve"]']
    assert dockerfile("EXPOSE") == [str(Server().port)]
    assert "auditor" in PROJECT["scripts"]


@pytest.mark.parametrize("status", [200, 503, None], ids=["well", "ill", "silent"])
def test_the_image_can_say_whether_it_is_well(status):
    class Door(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_):
            """Say nothing."""

    [health] = dockerfile("HEALTHCHECK")
    _, _, command = health.partition(" CMD ")
    python, *rest = json.loads(command)
    assert python == "python"
    with HTTPServer(("127.0.0.1", 0), Door) as door:
        port = str(door.server_port)
        thread = threading.Thread(target=door.serve_forever)
        if status is None:
            door.server_close()
        else:
            thread.start()
        try:
            rest = [part.replace("8765", port) for part in rest]
            done = subprocess.run([sys.executable, *rest], stderr=subprocess.DEVNULL)  # noqa: PLW1510, S603
        finally:
            if thread.is_alive():
                door.shutdown()
    assert (done.returncode == 0) is (status == 200)


# --- pins ---------------------------------------------------------------------------------


def test_everything_is_pinned_to_one_version():
    assert all(re.fullmatch(r"==[\w.!+]+", str(pin.specifier)) for pin in pins().values())
    assert str(pins()["torch"].specifier) == "==2.13.0"


def test_every_dependency_is_pinned_to_a_version_that_it_allows():
    extras = PROJECT["optional-dependencies"].values()
    wanted = [*PROJECT["dependencies"], *chain.from_iterable(extras)]
    for requirement in map(Requirement, wanted):
        pin = pins()[canonicalize_name(requirement.name)]
        [version] = [found.version for found in pin.specifier]
        assert requirement.specifier.contains(version), f"{requirement} excludes {pin}"


def test_no_file_says_where_packages_come_from():
    address = re.compile(r"index-url[= ]+\S*://|find-links[= ]+\S*://")
    for name in (
        "Makefile",
        "Dockerfile",
        "pyproject.toml",
        "constraints.txt",
        ".ci/run",
        "README.md",
    ):
        assert not address.search(text(name)), name
    assert re.search(r"^PIP_INDEX_ARGS \?=$", text("Makefile"), re.MULTILINE)


# --- the CI script ------------------------------------------------------------------------


def test_the_ci_script_is_executable_and_is_bash_that_stops_at_errors():
    path = ROOT / ".ci" / "run"
    assert os.access(path, os.X_OK)
    assert "\nset -euo pipefail\n" in text(".ci/run")
    subprocess.run([BASH, "-n", path], check=True)  # noqa: S603 - our own script


@pytest.fixture
def bench(tmp_path):
    """A clone with a `make` that only says what it was asked, and in which surroundings."""
    (tmp_path / "clone" / ".ci").mkdir(parents=True)
    (tmp_path / "clone" / ".ci" / "run").write_text(text(".ci/run"), encoding="utf-8")
    commands = tmp_path / "commands"
    commands.mkdir()
    told = 'echo "make $1 $AUDITOR_REQUIRE_DATA $AUDITOR_TEST_DATA"; [ "$1" != "$FAILS" ]'
    for name, body in {"make": told, "chromium": "exit 1"}.items():
        (commands / name).write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        (commands / name).chmod(0o755)
    return tmp_path


def ci(bench: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AUDITOR_")}
    path = f"{bench / 'commands'}:{os.environ['PATH']}"
    return subprocess.run(  # noqa: S603 - our own script
        [BASH, bench / "clone" / ".ci" / "run"],
        env={**kept, "FAILS": "", **environ, "PATH": path},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_ci_script_runs_every_step_with_the_data_required(bench):
    done = ci(bench)
    assert done.returncode == 0
    data = f"1 {bench}/clone/../shared/data"
    steps = [line for line in done.stdout.splitlines() if line.startswith("make")]
    assert steps == [f"make check {data}", f"make test {data}", f"make wide {data}"]


def test_the_ci_script_keeps_to_the_data_it_is_given(bench):
    assert "make test 1 /elsewhere" in ci(bench, AUDITOR_TEST_DATA="/elsewhere").stdout


def test_the_ci_script_fails_with_the_step_that_failed(bench):
    done = ci(bench, FAILS="test")
    assert done.returncode != 0
    assert "make wide" not in done.stdout


# --- the rest -----------------------------------------------------------------------------


def test_the_licence_is_the_one_the_package_names():
    assert PROJECT["license"] == "Apache-2.0"
    assert "Apache License\n                           Version 2.0" in text("LICENSE")


def test_the_changelog_begins_with_this_version_and_its_metric_set():
    newest = text("CHANGELOG.md").split("\n## ")[1]
    assert newest.startswith(__version__)
    assert f"`metric_set` {METRIC_SET}" in newest
    assert PROJECT["version"] == __version__


@pytest.mark.parametrize("target", ["setup", "reference", "demo", "test", "wide", "check", "bench"])
def test_the_makefile_has_a_target_for(target):
    assert re.search(rf"^{target}:.*##", text("Makefile"), re.MULTILINE)


def test_nothing_made_by_running_is_under_version_control():
    ignored = text(".gitignore").split()
    for name in (
        ".venv/",
        ".reference/",
        ".auditor/",
        "auditor.db*",
        "mlflow.db",
        "reports/*",
        "!reports/.gitkeep",
    ):
        assert name in ignored
