"""What a document holds is all that was judged: judged again as it is, it says the same."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor import checks, reports, stored
from auditor.checks import VERSION
from auditor.checks.base import Case
from auditor.config import Config, load
from auditor.document import Document, document
from auditor.policy import PRESET_NAMES, Before, Policy, judge, preset
from auditor.records import (
    Audit,
    Band,
    Decision,
    FileFailure,
    LayerRecord,
    PickleGlobal,
    Profile,
    Reading,
    Skip,
    Trend,
)
from auditor.render import FORMATS, render
from auditor.single import Request
from auditor.single import audit as audited
from auditor.wall import process
from auditor.wall.jobs import quiet
from tests import models
from tests.render import factory

DAY = factory.AUDITED.date()
CHECKS = [check() for check in checks.ALL]


def again(found: Mapping[str, Any]) -> Any:
    """The document as a ledger or a file gives it back."""
    return json.loads(json.dumps(found, allow_nan=False))


def same(found: Document) -> Document:
    """Without what depends on where its files lie."""
    return {key: value for key, value in found.items() if key != "id"}


def concluded(found: Document) -> dict[str, Any]:
    return {key: found[key] for key in ("verdict", "reason", "gate", "findings", "counts")}


def judged_again(found: Document, policy: Policy, before: Before | None) -> dict[str, Any]:
    """What the evidence in a document amounts to."""
    earlier = stored.audit(found)
    series = earlier.version.id.series
    judged = judge(stored.case(found), policy, before, model=series, as_of=DAY)
    now = replace(
        earlier,
        findings=judged.findings,
        gate=judged.gate,
        verdict=judged.verdict,
        reason=judged.reason,
    )
    return concluded(again(document(now)))


# --- any audit --------------------------------------------------------------------------------

NUMBER = st.one_of(st.floats(0, 12), st.just(math.nan))
COLUMNS = ("alpha", "alpha_lo", "alpha_hi", "log_spectral_norm", "matrix_rank", "random_like")
GIVEN = st.dictionaries(st.sampled_from(COLUMNS), NUMBER)
SKIPS = st.builds(
    Skip,
    name=st.text(max_size=3),
    shape=st.sampled_from([(4,), (8, 8), (400, 400)]),
    reason=st.sampled_from(["vector", "non-finite", "unreadable: torn"]),
    dtype=st.sampled_from(["", "float16"]),
    read=st.booleans(),
    non_finite=st.integers(0, 3),
    all_zero=st.booleans(),
)
FAILURE = FileFailure("x.bin", "torn", dangerous=True)
NAMED = PickleGlobal("x.bin", "os.system", dangerous=True)
POINT = Trend("3", factory.CREATED, "PASS", 3.1, math.nan, 0.01, 0)
PROFILE = Profile("family", "d" * 64, 7, {"dense": {"alpha": Band(21, 2.0, 3.0, 4.5)}})
SAID = Decision(True, "ann", "fine", factory.AUDITED, DAY, "MLflow tag")  # noqa: FBT003


def layer(index: int, columns: Mapping[str, float]) -> LayerRecord:
    made = factory.layer(f"block.{index}.w", index, traps=(factory.TRAP,) * (index % 2))
    measured = replace(made.measured, metrics={**made.metrics, **columns})
    values = 17 if index == 4 else None
    return replace(made, measured=measured, values=values, verified=index != 5)


@st.composite
def audits(draw: st.DrawFn) -> tuple[Audit, Policy, Before | None]:
    """An audit with anything in it, by which policy, and what was concluded of its baseline."""
    policy = preset(draw(st.sampled_from(PRESET_NAMES)))
    layers = [layer(i, draw(GIVEN)) for i in range(draw(st.integers(0, 10)))]
    old = [replace(layer(one.index, draw(GIVEN)), dtype="float16") for one in layers]
    case = Case(
        layers,
        draw(st.lists(SKIPS, max_size=4)),
        Reading(factory.audit().reading.files, 7, *draw(st.sampled_from(TROUBLES))),
        factory.compared(layers, {one.name: one for one in old}, BASELINE, **MOVED)
        if draw(st.booleans())
        else None,
        history=draw(st.lists(st.just(POINT), max_size=8)),
        profile=draw(st.sampled_from([None, PROFILE])),
    )
    before = None
    if case.comparison:
        known = judge(Case(old), policy, model=SERIES, as_of=DAY).findings
        before = Before(known, (), accepted=draw(st.booleans()))
    judged = judge(case, policy, before, model=SERIES, as_of=DAY)
    made = replace(
        factory.audit(),
        layers=tuple(case.layers),
        skipped=tuple(case.skipped),
        reading=case.reading,
        comparison=case.comparison,
        trend=tuple(case.history),
        profile=case.profile,
        findings=judged.findings,
        gate=judged.gate,
        verdict=judged.verdict,
        reason=judged.reason,
        decision=draw(st.sampled_from([None, SAID, replace(SAID, until=None)])),
        checks=VERSION,
    )
    return made, policy, before


BASELINE = factory.version(number="3")
SERIES = factory.version().id.series
MOVED: dict[str, Any] = {
    "added": ("new",),
    "removed": ("old",),
    "renamed": (("gone", "block.0.w"),),
    "note": "as its files are gone",
}
TROUBLES = [((), ()), ((FAILURE,), ()), ((), (NAMED,)), ((FAILURE,), (NAMED,))]


@given(audits())
def test_judged_again_as_it_is_it_says_the_same(given):
    made, policy, before = given
    found = again(document(made))
    assert judged_again(found, policy, before) == concluded(found)


@given(audits())
def test_a_record_is_written_as_it_was_read(given):
    found = again(document(given[0]))
    assert same(again(document(stored.audit(found)))) == same(found)


# --- real ones --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    return load(models.config(tmp_path_factory.mktemp("stored")))


def audit(config: Config, ref: Path, **given: Any) -> Document:
    request = Request(str(ref), config, **given)
    found: Document = again(audited(request, quiet, process.here)[1])
    return found


def both(folder: Path) -> tuple[Path, Path]:
    """A version and its baseline with something of every kind between them."""
    tensors = models.weights(7)
    head = tensors.pop("head.weight")
    later = {
        **tensors,
        "moved.weight": head,
        "added.weight": models.weights(8)["fc1.weight"],
        "fc2.weight": models.collapsed(),
        "zero.weight": np.zeros((16, 16)),
        "broken.weight": np.full((16, 16), np.nan),
        "half.weight": models.weights(9)["fc2.weight"].astype(np.float16),
        "conv.weight": np.random.default_rng(4).normal(size=(8, 6, 3, 3)),
        "conv.dead.weight": np.zeros((8, 6, 3, 3)),
    }
    before = {**models.weights(), "head.weight": head, "half.weight": later["half.weight"]}
    models.write(folder / "before", before, day=1)
    return models.write(folder / "after", later, day=2), folder / "before"


def befores(document: Document) -> list[LayerRecord]:
    """The baseline's layers."""
    comparison = stored.comparison(document)
    assert comparison is not None
    return [change.before for change in comparison.layers]


def test_a_real_audit_judged_again_says_the_same(tmp_path, config):
    after, before = both(tmp_path)
    for policy in PRESET_NAMES:
        found = audit(config, after, baseline=str(before), policy=policy)
        assert found["comparison"]["renamed"]
        anew = checks.examine(Case(befores(found)), CHECKS)
        known = Before(anew, anew)
        assert judged_again(found, preset(policy), known) == concluded(found)
        assert same(again(document(stored.audit(found)))) == same(found)


def test_the_stored_values_of_an_adapter_are_told(tmp_path, config):
    rng = np.random.default_rng(1)
    tensors = {
        "layers.0.q_proj.lora_A.weight": rng.normal(size=(4, 64)),
        "layers.0.q_proj.lora_B.weight": rng.normal(size=(48, 4)),
    }
    found = audit(config, models.write(tmp_path / "adapter", tensors))
    (row,) = found["layers"]
    assert (row["shape"], row["parameters"]) == ([48, 64], 4 * (64 + 48))
    assert stored.layers(found)[0].values == row["parameters"]
    assert same(again(document(stored.audit(found)))) == same(found)


# --- of another time --------------------------------------------------------------------------


def of_old(found: Document) -> dict[str, Any]:
    """As a release before these keys wrote it."""
    old = again(found)
    for place in stored.LATER:
        *way, key = place.split(".")
        nodes = [old]
        for step in way:
            inner = [node[step] for node in nodes if node[step]]
            nodes = [one for part in inner for one in (part if isinstance(part, list) else [part])]
        for node in nodes:
            del node[key]
    return {**old, "decision": None}


def test_a_document_of_another_time_is_judged_as_far_as_it_goes(tmp_path, config):
    after, before = both(tmp_path)
    found = audit(config, after, baseline=str(before))
    old = stored.completed(of_old(found))
    anew = checks.examine(Case(befores(old)), CHECKS)
    then, now = (
        judged_again(one, preset("recommended"), Before(anew, anew)) for one in (old, found)
    )
    assert (then["verdict"], then["reason"]) == (now["verdict"], now["reason"])
    keys = ("check", "layer", "origin", "level")
    told = [[[one[key] for key in keys] for one in which["findings"]] for which in (then, now)]
    unknown = {"dtype_changed"}  # nobody wrote down how the baseline was stored
    assert told[0] == [one for one in told[1] if one[0] not in unknown]


def test_a_document_of_another_time_is_rendered(tmp_path, config):
    after, before = both(tmp_path)
    for found in (audit(config, after, baseline=str(before)), audit(config, after)):
        (tmp_path / "old.json").write_text(json.dumps(of_old(found)))
        old = reports.read(tmp_path / "old.json")
        for fmt in FORMATS:
            assert render(old, fmt), fmt
