"""Commands against people who are careless or mean: one line, an exit code, nothing run."""

import json
import os
import pickle
import random
import struct
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from auditor import schema
from auditor.cli import run
from auditor.render import FORMATS, render
from auditor.reports import COLUMNS, misfits
from tests import models
from tests.models import weights, write

pytestmark = pytest.mark.wide

MATRIX = np.random.default_rng(1).normal(size=(20, 30)).astype(np.float32)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder, and no registry in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


def command(here, *words, encoding="utf-8", **streams):
    """The command in a process of its own, as a shell would start it."""
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "auditor", *words],
        cwd=here,
        env=environment,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
        **streams,
    )


def safetensors(folder, header, data=b""):
    """A file with exactly this header, whatever it says."""
    folder.mkdir()
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)


def refused(capsys, said):
    """Nothing on stdout, and one line on stderr that says this."""
    streams = capsys.readouterr()
    assert streams.out == ""
    assert said in streams.err
    assert len(streams.err.splitlines()) == 1


# --- what a path may be -------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["audit", "pipe"],
        ["analyze", "pipe"],
        ["audit", "/dev/zero"],
        ["audit", "net", "--baseline", "pipe"],
        ["audit", "net", "--config", "pipe"],
        ["once", "--config", "/dev/zero"],
        ["doctor", "--config", "pipe"],
        ["report", "pipe"],
        ["report", "/dev/zero"],
    ],
    ids=" ".join,
)
def test_a_pipe_or_a_device_is_refused_and_not_waited_for(here, capsys, words):
    write(here / "net", weights())
    os.mkfifo(here / "pipe")
    assert run(words) == 2
    refused(capsys, "is a pipe or a device")


def test_a_pipe_among_the_files_of_a_model_is_not_opened(here, capsys):
    write(here / "net", weights())
    os.mkfifo(here / "net/other.safetensors")
    (here / "net/zero.pt").symlink_to("/dev/zero")
    (here / "net/self").symlink_to(".")
    assert run(["audit", "net", "--json"]) == 0
    files = json.loads(capsys.readouterr().out)["weights"]["files"]
    assert [file["name"] for file in files] == ["model.safetensors"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["audit", "a" * 5000], "File name too long"),
        (["audit", "net", "--baseline", "a" * 5000], "File name too long"),
        (["once", "--config", "a" * 5000], "File name too long"),
        (["report", "a" * 5000], "File name too long"),
        (["audit", ""], "REF is empty"),
        (["audit", "net", "--baseline", ""], "REF is empty"),
        (["audit", "net", "--policy", ""], "no such policy"),
        (["audit", "x\ny\x1b[31m\u202e"], "does not exist"),
        (["audit", "\udc80"], "does not exist"),
        (["analyze", "net", "--json", "--csv"], "exclude each other"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
)
def test_odd_names_and_empty_words_are_one_line(here, capsys, words, said):
    write(here / "net", weights())
    assert run(words) == 2
    refused(capsys, said)


# --- what a weight file may hold ----------------------------------------------------------


@pytest.mark.parametrize("shape", [[0, 2**62], [2**62, 0], [2**62, 0, 2**62]], ids=str)
def test_an_empty_tensor_with_endless_sides_is_a_file_that_cannot_be_parsed(here, capsys, shape):
    safetensors(here / "net", {"a": {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}})
    assert run(["audit", "net", "--json"]) == 3
    assert "longer than any array" in json.loads(capsys.readouterr().out)["reason"]


def test_an_empty_matrix_is_left_out_and_says_so(here, capsys):
    write(here / "net", weights(**{"none.weight": np.zeros((0, 5))}))
    assert run(["audit", "net", "--json"]) == 0
    skipped = {skip["name"]: skip for skip in json.loads(capsys.readouterr().out)["skipped"]}
    assert skipped["none.weight"]["shape"] == [0, 5]


def test_half_a_surrogate_in_a_name_leaves_the_document_json(here, capsys):
    entry = {"dtype": "F32", "shape": [20, 30], "data_offsets": [0, MATRIX.nbytes]}
    safetensors(here / "net", {"a\ud800": entry}, MATRIX.tobytes())
    for asked in ("audit", "analyze"):
        assert run([asked, "net", "--json"]) == 0
        said = capsys.readouterr().out
        assert json.loads(said.encode("utf-8"))["layers"][0]["name"] == "a\ud800"


class Touch:
    """Unpickled by Python itself, this would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("name", ["model.safetensors", "model.pt", "model.pkl", "data/model.pth"])
def test_a_hostile_pickle_under_any_name_is_named_and_not_run(here, capsys, name):
    path = here / "net" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(pickle.dumps({"w": MATRIX.tolist(), "x": Touch(here / "proof")}, protocol=2))
    assert run(["audit", "net", "--policy", "recommended", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert f"{os.system.__module__}.system" in document["reason"]
    assert document["weights"]["globals"][0]["file"] == name
    assert not (here / "proof").exists()


# --- the baseline -------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"hello", b"", b"\x80\x02}."], ids=["text", "empty", "none"])
def test_a_baseline_that_cannot_be_read_is_no_comparison(here, capsys, content):
    write(here / "net", weights())
    (here / "old").mkdir()
    (here / "old/model.pt").write_bytes(content)
    assert run(["audit", "net", "--baseline", "old", "--out", "out"]) == 2
    refused(capsys, "baseline old: no matrix could be read from it")
    assert not (here / "out").exists()


def test_a_baseline_read_in_part_is_compared_and_says_what_is_missing(here, capsys):
    write(here / "net", weights())
    write(here / "old", weights(), day=1)
    (here / "old/more.pt").write_bytes(b"cut off")
    assert run(["audit", "net", "--baseline", "old", "--json"]) == 0
    comparison = json.loads(capsys.readouterr().out)["comparison"]
    assert len(comparison["layers"]) == 3
    assert "could not be read whole: more.pt" in comparison["note"]


# --- where the answer goes ----------------------------------------------------------------


@pytest.mark.wide
def test_a_reader_that_goes_away_does_not_change_the_exit_code(here):
    layers = {
        f"h.{i}.weight": weights()["fc1.weight"][:8, :8] for i in range(600)
    }  # more than a pipe holds
    write(here / "net", {**layers, "bad.weight": np.full((9, 9), np.nan)})
    reading, writing = os.pipe()
    os.close(reading)
    words = ("audit", "net", "--policy", "recommended", "--json")
    done = command(here, *words, stdout=writing)
    os.close(writing)
    assert done.returncode == 1
    assert done.stderr == b""


def test_a_full_disk_behind_stdout_is_a_line(here):
    with Path("/dev/full").open("wb") as full:
        done = command(here, "config", "schema", "audit", stdout=full)
    assert done.returncode == 2
    assert done.stderr.startswith(b"auditor: stdout takes nothing more: No space left on device")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.wide
@pytest.mark.parametrize(("stream", "code"), [("1", 1), ("2", 1)])
def test_a_stream_that_the_shell_closed_is_done_without(here, stream, code):
    write(here / "net", weights(**{"fc2.weight": models.collapsed()}))
    asked = f"{sys.executable} -m auditor audit net --policy recommended {stream}>&-"
    done = subprocess.run(["sh", "-c", asked], cwd=here, capture_output=True, check=False)  # noqa: S603, S607
    assert done.returncode == code
    assert b"Traceback" not in done.stderr


@pytest.mark.wide
def test_an_ascii_terminal_gets_ascii(here):
    write(here / "net", {"größe.weight": weights()["fc1.weight"]})
    for words in (["audit", "net"], ["analyze", "net"]):
        done = command(here, *words, encoding="ascii", stdout=subprocess.PIPE)
        assert done.returncode == 0, done.stderr
    done = command(here, "analyze", "net", "--json", encoding="ascii", stdout=subprocess.PIPE)
    assert json.loads(done.stdout.decode("ascii"))["layers"][0]["name"] == "größe.weight"


def test_a_report_that_cannot_be_written_costs_the_report_and_not_the_verdict(here, capsys):
    write(here / "net", weights())
    (here / "file").write_text("in the way")
    assert run(["audit", "net", "--out", "file/out"]) == 2
    streams = capsys.readouterr()
    assert streams.out.startswith("● PASS net ")
    assert "failed while writing" in streams.err
    assert sorted(path.name for path in here.iterdir()) == ["file", "net"]


@pytest.mark.wide
def test_a_log_line_cannot_be_broken_by_a_name(here):
    write(here / "models/net\n\x1b[31mforged line/1", weights())
    models.config(here)
    done = command(here, "-v", "once", stdout=subprocess.PIPE)
    assert b"\x1b" not in done.stderr + done.stdout
    assert not any(line.startswith(b"forged") for line in done.stderr.splitlines())
    assert b"audit" in done.stderr or b"PASS" in done.stderr


def test_a_format_is_written_once_however_often_it_is_named(here, capsys):
    write(here / "net", weights())
    assert run(["audit", "net", "--format", "html, html,md"]) == 0
    _, *paths = capsys.readouterr().out.splitlines()
    assert [Path(path).suffix for path in paths] == [".html", ".md"]


def test_no_words_get_the_help_as_it_is_laid_out(capsys):
    assert run(["config"]) == 2
    assert "\n  check " in capsys.readouterr().err


def test_the_version_is_told(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("auditor 0.")


def test_backfill_of_a_model_that_the_source_has_not_is_a_line(here, capsys):
    write(here / "models/net/1", weights())
    models.config(here)
    assert run(["backfill", "folder", "--versions", "all", "--model", "nett"]) == 2
    refused(capsys, "no model nett in folder")


# --- documents edited by hand -------------------------------------------------------------

SCHEMA = schema.audit()
JUDGE = jsonschema.Draft202012Validator(SCHEMA)
ODD = [None, True, "x", "", -1, 1e300, 10**30, [], {}, [None], {"a": 1}, "<script>", "\ud800"]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A document with findings and a comparison."""
    folder = tmp_path_factory.mktemp("stored")
    old, new = folder / "old", folder / "new"
    write(old, weights(), day=1)
    write(new, weights(**{"fc2.weight": models.collapsed()}), day=2)
    words = ["--policy", "recommended", "--format", "json", "--out", str(folder / "out")]
    run(["audit", str(new), "--baseline", str(old), *words])
    return json.loads(next((folder / "out").rglob("*.json")).read_text(encoding="utf-8"))


def places(value, where=()):
    """Every place in a document, of long lists the first three entries."""
    if where:
        yield where
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*where, key))
    elif isinstance(value, list):
        for index in range(min(3, len(value))):
            yield from places(value[index], (*where, index))


def edited(document, where, new):
    found = deepcopy(document)
    inner = found
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = new
    return found


def test_an_edited_document_is_refused_or_rendered(stored):
    """What jsonschema finds wrong is found here too, and what passes can be rendered."""
    draw = random.Random(0)  # noqa: S311 - which edits, no secret
    everywhere, passed = list(places(stored)), 0
    for _ in range(120):
        where, new = draw.choice(everywhere), draw.choice(ODD)
        document = edited(stored, where, new)
        wrong = list(misfits(document, SCHEMA))
        if not JUDGE.is_valid(document):
            assert wrong, (where, new)
        if not wrong:
            passed += 1
            assert all(render(document, fmt) for fmt in FORMATS), (where, new)
    assert passed > 5


@pytest.mark.parametrize(
    ("where", "new", "said"),
    [
        (("layers",), "none", "layers is 'none', expected array"),
        (("layers", 0, "alpha"), "<script>", "layers[0].alpha is '<script>', expected number"),
        (("verdict",), "GREAT", "verdict is 'GREAT', expected"),
        (("counts", "analysed"), -1, "counts.analysed is -1, expected 0 or more"),
        (("timing", "started_at"), "noon", "timing.started_at is 'noon', expected date and time"),
        (("model",), {}, "model has no source"),
        (("schema",), 99, "has schema 99, this version reads 1"),
        (("timing", "seconds"), float("nan"), "NaN is no JSON number"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_report_says_where_a_document_was_edited(here, capsys, stored, where, new, said):
    Path("edited.json").write_text(json.dumps(edited(stored, where, new)), encoding="utf-8")
    assert run(["report", "edited.json"]) == 2
    refused(capsys, said)
    assert [path.name for path in here.iterdir()] == ["edited.json"]


def test_a_document_from_before_a_metric_existed_is_rendered(stored):
    document = deepcopy(stored)
    for layer in document["layers"]:
        for column in COLUMNS & layer.keys():
            del layer[column]
    assert not list(misfits(document, SCHEMA))
    for fmt in FORMATS:
        assert render(document, fmt)
