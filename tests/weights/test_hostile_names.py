"""Names out of files reach a report, a document and a log escaped, whatever they are made of."""

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy as st

from auditor.cli import run
from tests.weights.reading import in_memory, look
from tests.weights.whole import FILES, NAMELESS, WEIGHT

NAMES = {
    "controls": "a\x1b[31m\x07\n\r\t\x85b.weight",
    "markup": "<script>alert(1)</script><img src=x onerror=alert(1)>.weight",
    "right to left": "a\u202eb\u2066c\u200fd.weight",
    "a template": "{{7*7}}${x}%s%n{0}.weight",
    "a path": "../../../../etc/passwd",
    "a formula": "=cmd|' /C calc'!A1",
    "no text at all": " ",
    "ten thousand": "x" * 10_000,
    "many dots": "." * 2_000,
    "combining": "a" + "\u0301" * 500,
}
RAW = ("\x1b", "\x07", "\u202e", "\u2066", "\u200f", "<script>alert", "<img src=x")


def with_raw(text: str) -> list[str]:
    return [repr(mark) for mark in RAW if mark in text]


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> dict[str, str]:
    """Everything that is written about a model with all these names, by file or stream."""
    here: Path = tmp_path_factory.mktemp("names")
    rng = np.random.default_rng(3)
    tensors = {n: rng.normal(size=(12, 9)).astype(np.float32) for n in NAMES.values()}
    (here / "net").mkdir()
    (here / "net/model.safetensors").write_bytes(st.save(tensors))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        formats = "html,json,csv,md"
        assert run(["audit", "net", "--out", "out", "--format", formats]) == 0
    written = {p.suffix: p.read_text(encoding="utf-8") for p in here.rglob("out/**/*.*")}
    assert written.keys() == {".html", ".json", ".csv", ".md"}
    return written


@pytest.mark.parametrize("suffix", [".html", ".csv", ".md", ".json"])
def test_no_name_is_raw_in_a_report(told, suffix):
    found = with_raw(told[suffix])
    assert [mark for mark in found if "<" not in mark] == []
    assert not (found and suffix in {".html", ".md"})  # elsewhere markup means nothing


def test_the_document_holds_the_names_as_they_are(told):
    document = json.loads(told[".json"])
    named = {layer["name"] for layer in document["layers"]}
    named |= {skip["name"] for skip in document["skipped"]}
    assert named >= set(NAMES.values())


@pytest.mark.parametrize("asked", [["audit", "net"], ["-v", "audit", "net"], ["analyze", "net"]])
def test_no_name_is_raw_on_a_terminal(told, asked, tmp_path, monkeypatch, capsys):
    del told  # made first: the two share nothing but their names
    monkeypatch.chdir(tmp_path)
    tensors = {name: WEIGHT[:12, :9].copy() for name in NAMES.values()}
    (tmp_path / "net").mkdir()
    (tmp_path / "net/model.safetensors").write_bytes(st.save(tensors))
    assert run(asked) == 0
    streams = capsys.readouterr()
    marks = ("\x1b[31m", "\x07", "\u202e", "\u2066", "\u200f")
    assert not [repr(mark) for mark in marks if mark in streams.out + streams.err]


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("file", [file for file in FILES if file not in NAMELESS])
def test_a_hostile_name_is_a_name_or_a_sentence(file, kind):
    """No reader falls over a name, or puts it into a sentence as it is."""
    name = NAMES[kind]
    try:
        data = FILES[file](name)
    except (ValueError, TypeError, OSError, KeyError):
        pytest.skip("the format's own library does not write such a name")
    inventory = look(in_memory(file, data))
    sentences = [failure.reason for failure in inventory.reading.failures]
    sentences += [skip.reason for skip in inventory.skipped]
    assert len(inventory.tensors) + len(sentences) > 0
    assert all(text.isprintable() and len(text) < 1000 for text in sentences)
