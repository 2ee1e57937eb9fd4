"""Weight files before they are committed: `auditor hook`, and the manifest pre-commit reads."""

import pickle
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from ruamel.yaml import YAML
from safetensors.numpy import save_file

from auditor.cli import run
from auditor.weights import is_weight_file
from tests import models
from tests.models import weights

ROOT = Path(__file__).parents[1]
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 9\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder, and no registry in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    text = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    [hook] = YAML(typ="safe", pure=True).load(text)
    return dict(hook)


def hook(manifest, *files: str) -> int:
    """What pre-commit does: the entry, its arguments, and then the files."""
    program, *words = manifest["entry"].split()
    assert program == "auditor"
    return run([*words, *manifest.get("args", ()), *files])


class Reaching:
    """Unpickled, it would run a command."""

    def __reduce__(self):
        return (__import__("os").system, ("true",))


@pytest.mark.wide
def test_a_healthy_file_may_go_in(here, capsys, manifest):
    save_file(weights(), here / "model.safetensors")
    assert hook(manifest, "model.safetensors") == 0
    assert capsys.readouterr().out.startswith("● PASS model.safetensors: no known symptom in 3")


def test_each_bad_file_has_a_line_and_the_worst_decides(here, capsys, manifest):
    save_file(weights(), here / "good.safetensors")
    save_file(weights(**{"fc2.weight": models.collapsed()}), here / "collapsed.safetensors")
    save_file(
        weights(**{"fc2.bias": float("nan") * models.collapsed()[0]}), here / "nan.safetensors"
    )
    (here / "unsafe.pt").write_bytes(pickle.dumps({"w": Reaching()}))
    (here / "cut.safetensors").write_bytes((here / "good.safetensors").read_bytes()[:900])
    (here / "pointer.safetensors").write_text(POINTER)
    names = ["good", "collapsed", "nan", "cut", "pointer"]
    code = hook(manifest, *(f"{name}.safetensors" for name in names), "unsafe.pt", "gone.gguf")
    assert code == 1
    good, collapsed, nan, cut, pointer, unsafe, gone = capsys.readouterr().out.splitlines()
    assert good.startswith("● PASS good.safetensors: ")
    assert collapsed.startswith("✖ BLOCK collapsed.safetensors: fc2.weight lost its rank")
    assert nan.startswith("✖ BLOCK nan.safetensors: fc2.bias holds 64 values")
    assert cut.startswith("◌ INCOMPLETE cut.safetensors: ")
    assert pointer.startswith("◌ INCOMPLETE pointer.safetensors: ")
    assert "a Git LFS pointer, not the file; fetch it with git lfs pull" in pointer
    assert "posix.system" in unsafe
    assert not unsafe.startswith("●")
    assert gone.startswith("✖ – gone.gguf: gone.gguf does not exist")


def test_an_unsafe_file_never_goes_in_whatever_the_policy(here, capsys):
    (here / "unsafe.pt").write_bytes(pickle.dumps({"w": Reaching()}))
    asked = ["hook", "--policy", "observe", "--fail-on", "never", "unsafe.pt"]
    assert run(asked) == 3
    assert "posix.system" in capsys.readouterr().out


def test_what_trainers_keep_beside_the_weights_is_let_pass(here, capsys, manifest):
    torch.save({"state": {}}, here / "optimizer.pt")
    assert hook(manifest, "optimizer.pt") == 0
    assert capsys.readouterr().out.startswith("○ – optimizer.pt: no weight file by its name")


def test_a_hostile_name_is_one_line(here, capsys, manifest):
    name = "a\n● PASS b\x1b[2J.safetensors"
    save_file(weights(), here / name)
    assert hook(manifest, name) == 0
    [line] = capsys.readouterr().out.splitlines()
    assert "\x1b" not in line


@pytest.mark.parametrize("name", ["-h.safetensors", "--fail-on=never.pt"])
def test_a_name_that_looks_like_an_option_is_a_file(here, capsys, manifest, name):
    (here / name).write_bytes(b"nothing")
    assert hook(manifest, name) == 3
    assert capsys.readouterr().out.startswith(f"◌ INCOMPLETE {name}: ")
    assert run(["hook", name]) == 2  # without the manifest's arguments it is an error, not a pass


@pytest.mark.wide
def test_nothing_is_left_behind(here, manifest):
    save_file(weights(), here / "model.safetensors")
    hook(manifest, "model.safetensors")
    assert [path.name for path in here.iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize(
    "name",
    ["model.safetensors", "a/pytorch_model.bin", "x.pt", "x.pt2", "x.pth.tar", "X.GGUF", "m.onnx",
     "m.keras", "w.npz", "w.npy", "m.tflite", "README.md", "config.json", "model.py", "x.ptx"],
)  # fmt: skip
def test_the_manifest_asks_for_the_files_that_are_weights(manifest, name):
    assert bool(re.search(manifest["files"], name)) == is_weight_file(name)
