"""The published schemas describe every document there is, and nothing else."""

import json
import pickle
import re
import shutil
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import numpy as np
import pytest

import auditor
from auditor import metrics, schema
from auditor.app import assemble
from auditor.cli import run
from auditor.config import Config, load
from auditor.measuring import quiet
from auditor.pipeline import once
from auditor.pipeline.visiting import MAX_ATTEMPTS
from auditor.single import Request
from auditor.single import audit as audited
from auditor.wall import process
from tests import models
from tests.models import weights, write
from tests.render import factory
from tests.weights.test_hostile_pickles import BOMBS, zipped

DOCS = Path(__file__).parents[1] / "docs"
SCHEMAS = {"audit": schema.audit, "analysis": schema.analysis}
AUDIT = jsonschema.Draft202012Validator(schema.audit())
ANALYSIS = jsonschema.Draft202012Validator(schema.analysis())
OPEN = (  # maps: any key is as good as another
    *("/source", "/summary", "/settings", "/findings[]/evidence"),
    "/comparison/layers[]/baseline",
)


def plain(document: object) -> Any:
    """The document as it is read by others."""
    return json.loads(json.dumps(document, allow_nan=False))


def problems(document: object) -> list[str]:
    found = AUDIT.iter_errors(plain(document))
    return [f"{problem.json_path}: {problem.message[:200]}" for problem in found]


# --- audits on request ------------------------------------------------------------------------


def audit(config: Config, ref: Path, **given: Any) -> dict[str, Any]:
    found: dict[str, Any] = plain(audited(Request(str(ref), config, **given), quiet)[1])
    return found


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("schema")


@pytest.fixture(scope="module")
def config(root) -> Config:
    (root / "models").mkdir()
    return load(models.config(root))


@pytest.fixture(scope="module")
def rich(root, config) -> dict[str, Any]:
    """An audit with something in every list that has a place for it."""
    tensors = weights(7)
    head = tensors.pop("head.weight")
    spiked = np.random.default_rng(3).normal(size=(64, 64))
    spiked[5, 9] = 80.0  # a correlation trap
    later = {
        **tensors,
        "moved.weight": head,
        "added.weight": weights(8)["fc1.weight"],
        "fc2.weight": models.collapsed(),
        "fc3.weight": spiked,
        "zero.weight": np.zeros((16, 16)),
        "broken.weight": np.full((16, 16), np.nan),
        "conv.weight": np.random.default_rng(4).normal(size=(8, 6, 3, 3)),
    }
    before = {**weights(), "gone.weight": spiked[:20], "head.weight": head, "fc3.weight": spiked}
    write(root / "before", before)
    write(root / "after", {name: value.astype(np.float32) for name, value in later.items()})
    return audit(config, root / "after", baseline=str(root / "before"))


def truncated(folder: Path) -> None:
    path = write(folder, weights()) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def hostile(folder: Path, bomb: str) -> None:
    folder.mkdir()
    made, _ = BOMBS[bomb]
    (folder / "model.pth").write_bytes(zipped(pickle.dumps(made(folder / "ran"), 2)))


FOLDERS: dict[str, Callable[[Path], object]] = {
    "healthy": lambda folder: write(folder, weights()),
    "collapsed": lambda folder: write(folder, weights(**{"fc2.weight": models.collapsed()})),
    "only vectors": lambda folder: write(folder, {"bias": np.ones(4)}),
    "strange names": lambda folder: write(
        folder, dict.fromkeys(factory.HOSTILE, weights()["fc1.weight"])
    ),
    "truncated": truncated,
    **{f"pickle with {name}": partial(hostile, bomb=name) for name in BOMBS},
}


@pytest.mark.wide
@pytest.mark.parametrize("case", FOLDERS)
def test_an_audit_fits_the_schema(case, tmp_path, config):
    FOLDERS[case](tmp_path / "net")
    assert problems(audit(config, tmp_path / "net")) == []
    assert not (tmp_path / "net" / "ran").exists()


def test_an_audit_against_a_baseline_fits_the_schema(rich):
    assert rich["comparison"]["layers"]
    assert rich["comparison"]["renamed"] == [["head.weight", "moved.weight"]]
    assert rich["comparison"]["added"]
    assert rich["comparison"]["removed"] == ["gone.weight"]
    assert rich["skipped"]
    assert any(layer["traps"] for layer in rich["layers"])
    assert problems(rich) == []


# --- audits of the line -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the line stored of six versions, by number."""
    here = tmp_path_factory.mktemp("watched")
    write(here / "models/net/1", weights(), day=1)
    write(here / "models/net/2", weights(5), day=2)
    write(here / "models/net/3", weights(), day=3)
    (here / "models/net/4").mkdir()
    (here / "models/net/4/README.md").write_text("soon")
    models.date(here / "models/net/4/README.md", day=4)
    truncated(here / "models/net/5")
    models.date(here / "models/net/5/model.safetensors", day=5)
    audits = []
    with assemble(load(models.config(here)), execute=process.here) as app:
        for hours in range(MAX_ATTEMPTS):
            at = app.clock() + timedelta(hours=hours)
            audits += once(replace(app, clock=partial(at.replace))).audited
        shutil.rmtree(here / "models/net/3")
        shutil.rmtree(here / "models/net/2")
        write(here / "models/net/6", weights(6), day=6)
        audits += once(app).audited
    return {found["model"]["version"]: plain(found) for found in audits}


def test_what_the_line_stores_fits_the_schema(watched):
    assert {number: problems(found) for number, found in watched.items()} == {
        number: [] for number in "123456"
    }


def test_the_line_stored_every_kind_of_audit(watched):
    assert watched["3"]["reason"].startswith("same weights as version 1")
    assert watched["4"]["verdict"] == watched["5"]["verdict"] == "INCOMPLETE"
    assert (watched["4"]["layers"], watched["4"]["weights"]["files"]) == ([], [])
    assert watched["5"]["weights"]["failures"]
    assert len(watched["6"]["trend"]) > 1
    assert watched["6"]["comparison"]["layers"][0]["relative"] is None  # the files are gone


# --- what others would call valid -------------------------------------------------------------


class Change(NamedTuple):
    """A document with one thing wrong, and what that is."""

    what: str
    document: dict[str, Any]


def objects(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every object in a document with where it is; members of a list have the same place."""
    if isinstance(node, dict):
        yield path, node
        for key, value in node.items():
            yield from objects(value, f"{path}/{key}")
    elif isinstance(node, list):
        for member in node:
            yield from objects(member, f"{path}[]")


def changes(document: dict[str, Any], alter: Callable[[dict[str, Any], str], None]) -> list[Change]:
    """One changed document for each key of each kind of object that the schema closes."""
    found: dict[str, Change] = {}
    for number, (path, node) in enumerate(objects(document)):
        if path.endswith(OPEN):
            continue
        for key in node:
            if f"{path}/{key}" not in found:
                changed = deepcopy(document)
                alter(list(objects(changed))[number][1], key)
                found[f"{path}/{key}"] = Change(f"{path}/{key}", changed)
    return list(found.values())


def small(document: dict[str, Any]) -> dict[str, Any]:
    """The same with short histograms and few layers, so that many copies are quick."""
    found = deepcopy(document)
    for _, node in objects(found):
        if "density" in node:
            node["density"] = node["density"][:2]
            node["twin"] = node["twin"] and node["twin"][:2]
    trapped = [layer for layer in found["layers"] if layer["traps"]]
    found["layers"] = trapped[:1]
    found["comparison"]["layers"] = found["comparison"]["layers"][:1]
    return found


@pytest.fixture(scope="module")
def whole(rich, watched) -> dict[str, Any]:
    """A document with something everywhere."""
    failures = watched["5"]["weights"]["failures"]
    names = [{"file": "model.pth", "name": "posix.system", "dangerous": True}]
    found = {
        **small(rich),
        "trend": watched["6"]["trend"][:1],
        "weights": {**rich["weights"], "failures": failures, "globals": names},
    }
    assert problems(found) == []
    return found


def test_a_missing_key_is_found_wherever_it_is(whole):
    changed = changes(whole, lambda node, key: node.pop(key))
    places = {change.what for change in changed}
    assert {
        "/layers[]/alpha",
        "/comparison/renamed",
        "/trend[]/distance",
        "/gate[]/limit",
    } <= places
    assert {"/layers[]/traps[]/edge", "/findings[]/origin", "/weights/globals[]/name"} <= places
    fine = {change.what for change in changed if AUDIT.is_valid(change.document)}
    always = {metric.name for metric in metrics.columns(schema.ALWAYS)}
    assert fine == {f"/layers[]/{metric.name}" for metric in metrics.ALL} & places - {
        f"/layers[]/{name}" for name in always
    }


def test_an_unknown_key_is_found_wherever_it_is(whole):
    changed = changes(whole, lambda node, _: node.update(surprise=1))
    assert [change.what for change in changed if AUDIT.is_valid(change.document)] == []


def test_a_value_of_another_type_is_found_wherever_it_is(whole):
    def alter(node: dict[str, Any], key: str) -> None:
        node[key] = 0 if isinstance(node[key], bool) else True

    changed = changes(whole, alter)
    assert [change.what for change in changed if AUDIT.is_valid(change.document)] == []


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "pass"},
        {"schema": 2},
        {"decision": "accepted"},
        {"counts": None},
        {"comparison": {}},
    ],
)
def test_a_value_that_no_audit_has_is_found(whole, change):
    assert not AUDIT.is_valid({**whole, **change})


# --- analyses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"convention": "weightwatcher"},
        {"intervals": True, "mp_fit": True, "randomize": True},
    ],
)
def test_an_analysis_fits_its_schema_and_needs_each_of_its_columns(asked):
    found = plain(auditor.analyze(weights(), **asked).to_dict())
    assert [problem.message for problem in ANALYSIS.iter_errors(found)] == []
    first = found["layers"][0]
    first.pop("stable_rank")
    assert not ANALYSIS.is_valid(found)


# --- what is published ------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_published_file_is_what_the_code_says(name):
    said = json.dumps(SCHEMAS[name](), indent=1, ensure_ascii=False) + "\n"
    assert (DOCS / f"{name}.schema.json").read_text(encoding="utf-8") == said, (
        f"run: auditor config schema {name} > docs/{name}.schema.json"
    )


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_published_file_is_a_valid_schema(name):
    published = json.loads((DOCS / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(published)


def test_the_page_explains_every_key_of_the_document_and_no_other():
    text = (DOCS / "audit-document.md").read_text(encoding="utf-8")
    explained = re.findall(r"^\| `([\w.]+)` \|", text, re.MULTILINE)
    described = schema.audit()["properties"]
    assert [name for name in explained if "." not in name] == list(described)
    for name in explained:
        outer, _, inner = name.partition(".")
        found = described[outer].get("items", described[outer])
        found = found.get("anyOf", [found])[0]
        assert not inner or inner in found["properties"], name


@pytest.mark.data
def test_real_weights_give_a_document_that_fits(data, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path = data / "weights" / "resnet_cifar10" / "resnet20.safetensors"
    assert run(["audit", str(path), "--json"]) in {0, 1}
    document = json.loads(capsys.readouterr().out)
    assert problems(document) == []
    assert len(document["layers"]) >= 20  # as many as its name says
