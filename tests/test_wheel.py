"""What is installed from the wheel works without the checkout it was made from."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import auditor
from tests import models
from tests.models import weights, write

pytestmark = pytest.mark.wide
ROOT = Path(__file__).parents[1]
INDEX = os.environ.get("PIP_INDEX_ARGS", "").split()  # as given to make, for the build backend


def pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", *INDEX, "--wheel-dir", folder, ROOT)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that has the installed package and nothing else of ours."""
    folder = tmp_path_factory.mktemp("installed")
    pip("install", "--no-deps", "--no-index", "--target", folder, wheel)
    return folder


@pytest.fixture
def here(tmp_path):
    """Two versions of a model, elsewhere."""
    write(tmp_path / "models/net/1", weights(), day=1)
    write(tmp_path / "models/net/2", weights(**{"fc2.weight": models.collapsed()}), day=2)
    return tmp_path


def execute(command: list[str], installed: Path, here: Path) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    return subprocess.run(  # noqa: S603 - our own command
        command,
        cwd=here,
        env={**kept, "PYTHONPATH": str(installed)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "auditor", *arguments]


def test_every_file_of_the_package_and_every_template_is_in_the_wheel(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    templates = (ROOT / "templates").rglob("*")
    ours = [path for path in (ROOT / "auditor").rglob("*") if path.is_file()]
    wanted = {
        *(str(path.relative_to(ROOT)) for path in ours if path.suffix != ".pyc"),
        *(f"auditor/{path.relative_to(ROOT)}" for path in templates if path.is_file()),
    }
    about = f"auditor-{auditor.__version__}.dist-info/"
    assert {name for name in held if not name.startswith(about)} == wanted
    assert f"{about}licenses/LICENSE" in held


def test_what_runs_is_what_was_installed(installed, here):
    asked = "import auditor; print(auditor.__file__)"
    done = execute([sys.executable, "-c", asked], installed, here)
    assert done.stdout.strip() == str(installed / "auditor" / "__init__.py")


def test_the_installed_command_audits_and_writes_its_report(installed, here):
    done = execute(command("audit", "models/net/1", "--out", "out"), installed, here)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("● PASS")
    (page,) = (here / "out").rglob("*.html")
    assert "No known symptom" in page.read_text(encoding="utf-8")


def test_the_installed_command_makes_its_ledger_and_finds_it_again(installed, here):
    models.config(here)
    for _ in range(2):
        done = execute(command("once"), installed, here)
        assert (done.returncode, done.stderr) == (0, "")
    found = [json.loads(path.read_text()) for path in sorted((here / "reports").rglob("*.json"))]
    assert [document["verdict"] for document in found] == ["PASS", "BLOCK"]
    assert (here / "auditor.db").is_file()


def test_the_script_is_the_command(installed, here):
    script = str(installed / "bin" / "auditor")
    assert execute([script, "--help"], installed, here).stdout == (
        execute(command("--help"), installed, here).stdout
    )
