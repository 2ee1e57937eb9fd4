"""Versions on the Hub, audited as a person asks for it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from safetensors.numpy import save

from auditor import schema
from auditor.cli import run
from tests import hub_server
from tests.hub_server import TOKEN, Fault, Kind
from tests.hub_store import Content
from tests.models import weights

ROOT = Path(__file__).parents[2]
REF = "hf://acme/tiny"
SMALL_DISK = (
    "sources: [{kind: folder, root: models}]\nsinks: [{kind: files}]\nlimits: {disk: 1KiB}\n"
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[hub_server.Hub]:
    """A Hub with one small model, an empty working folder, and somebody logged in."""
    monkeypatch.chdir(tmp_path)
    with hub_server.serve() as made:
        monkeypatch.setenv("HF_ENDPOINT", made.endpoint)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        made.push("acme/tiny", {"model.safetensors": save(weights()), "config.json": b"{}"})
        yield made


def audited(capsys: pytest.CaptureFixture[str], *more: str, ref: str = REF) -> dict[str, Any]:
    assert run(["audit", ref, "--json", *more]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, schema.audit())
    return document


@pytest.mark.wide  # an audit, in a process of its own
def test_an_audit_fetches_whole_files_and_verifies_them(server, capsys):
    document = audited(capsys, "--out", "out")
    commit = server.repos["acme/tiny"].commits[-1]
    assert document["model"]["uri"] == f"{REF}@{commit.sha}"
    assert document["model"]["created_at"] == commit.date.isoformat()
    assert document["source"]["security"] == "no issue found by the Hub's scans"
    stated = commit.files["model.safetensors"].sha256
    assert [(f["sha256"], f["verified"]) for f in document["weights"]["files"]] == [(stated, True)]
    assert all(layer["verified"] for layer in document["layers"])
    written = [path.read_bytes() for path in Path().rglob("*") if path.is_file()]
    assert len(written) > 2
    assert not any(TOKEN.encode() in content for content in written)
    assert all("authorization" not in one.headers for one in server.asked if one.at == "cdn")


@pytest.mark.wide  # two audits, each in a process of its own
@pytest.mark.usefixtures("server")
def test_a_disk_without_room_means_parts_that_nobody_verified(capsys):
    Path("small.yaml").write_text(SMALL_DISK)
    parts = audited(capsys, "--config", "small.yaml", "--out", "out", "--format", "html")
    assert [file["verified"] for file in parts["weights"]["files"]] == [False]
    assert not any(layer["verified"] for layer in parts["layers"])
    (report,) = Path("out").rglob("*.html")
    assert "against the file&#39;s digest, read in parts: model.safetensors" in report.read_text()
    whole = audited(capsys)
    assert parts["weights"]["digest"] == whole["weights"]["digest"]  # as the Hub states it
    assert [without_mark(layer) for layer in parts["layers"]] == [
        without_mark(layer) for layer in whole["layers"]
    ]


def without_mark(layer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in layer.items() if name != "verified"}


def test_a_wrong_bit_is_an_attempt_that_publishes_nothing(server, capsys):
    server.faults = [Fault("cdn", Kind.CORRUPT, 20_000)]
    assert run(["audit", REF, "--out", "out"]) == 2
    said = capsys.readouterr()
    assert "SHA-256" in said.err
    assert "the Hub states" in said.err
    assert not said.out
    assert not Path("out").exists()
    kept = [path.stat().st_size for path in Path(".auditor/files").glob("??/*")]
    assert max(kept, default=0) < 1000  # of the weights, nothing


@pytest.mark.wide  # an audit, in a process of its own
def test_a_hub_that_fails_in_the_middle_is_an_attempt_and_no_verdict(server, capsys):
    Path("small.yaml").write_text(SMALL_DISK)
    many = {f"h.{number}.weight": np.ones((512, 512)) for number in range(24)}
    server.push("acme/tiny", {"model.safetensors": save(weights(**many))})
    server.faults = [Fault("cdn", Kind.SHIFTED, times=99, spare=1)]  # the header comes
    assert run(["audit", REF, "--config", "small.yaml", "--out", "out"]) == 2
    said = capsys.readouterr()
    assert "answered 206 with" in said.err
    assert not said.out
    assert not Path("out").exists()


def sharded(folder: Path, shards: int, size: int) -> dict[str, bytes | Path | Content]:
    """Shards with true headers and `size` bytes of values each, none of which take space."""
    files: dict[str, bytes | Path | Content] = {"config.json": b"{}"}
    rows = size // (4096 * 4)
    index = {}
    for number in range(1, shards + 1):
        name = f"model-{number:05}-of-{shards:05}.safetensors"
        entry = {"dtype": "F32", "shape": [rows, 4096], "data_offsets": [0, rows * 4096 * 4]}
        header = json.dumps({f"h.{number}.w": entry}).encode()
        with (folder / name).open("wb") as handle:
            handle.write(len(header).to_bytes(8, "little") + header)
            handle.truncate(8 + len(header) + rows * 4096 * 4)
        files[name] = Content.of(folder / name, f"{number:064x}")
        index[f"h.{number}.w"] = name
    files["model.safetensors.index.json"] = json.dumps({"weight_map": index}).encode()
    return files


def test_a_plan_of_140_gb_costs_less_than_a_megabyte(server, tmp_path, capsys):
    server.push("acme/huge", sharded(tmp_path, 30, 5 << 30))
    before = server.sent
    assert run(["audit", "hf://acme/huge", "--dry-run"]) == 0
    assert "30 weight files" in capsys.readouterr().out
    assert server.sent - before < 1_000_000
    kept = [path.stat().st_size for path in Path(".auditor").rglob("*") if path.is_file()]
    assert sum(kept) < 10_000  # configurations


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        ("hf://acme/none", "is not at http"),
        ("hf://acme/tiny@none", "no such revision"),
        ("hf://acme/tiny@main/none", "no weight file"),
        ("hf://datasets/acme/tiny", "is a dataset"),
        ("hf://tiny", "expected hf://org/name"),
    ],
)
@pytest.mark.usefixtures("server")
def test_what_is_not_there_is_one_line_and_exit_2(capsys, ref, said):
    assert run(["audit", ref]) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.err.count("\n") == 1
    assert TOKEN not in printed.err


@pytest.mark.wide  # a process of its own
def test_offline_means_that_nobody_is_asked(server, tmp_path):
    asked = [sys.executable, "-m", "auditor", "audit", REF]
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(  # noqa: S603
        asked, capture_output=True, text=True, cwd=tmp_path, env=env, check=False
    )
    assert done.returncode == 2
    assert "HF_HUB_OFFLINE is set" in done.stderr
    assert not server.asked
