"""Every option of an analysis goes the whole line: config, audit, document, report."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

import auditor
from auditor import schema
from auditor.config import Config, Plugin
from auditor.config.options import Options
from auditor.errors import UsageError
from auditor.measuring import quiet
from auditor.render import FORMATS, render
from auditor.single import Request
from auditor.single import audit as audited
from tests.models import structured, weights, write

AUDIT = jsonschema.Draft202012Validator(schema.audit())
VALUES: dict[str, Any] = {  # of every option one that is not its default
    "convention": "weightwatcher",
    "layers": ("fc*", "conv*"),
    "intervals": False,
    "bootstrap": 20,
    "goodness_of_fit": True,
    "mp_fit": False,
    "randomize": False,
    "detX": True,
    "vectors": True,
    "cumulants": True,
    "more_distances": True,
    "pool": False,
    "split_qkv": True,
    "fit": "TPL",
    "fix_fingers": "clip_xmax",
    "xmax": "force",
    "min_evals": 20,
    "min_tail": 20,
    "precision": "float32",
    "seed": 7,
}


def test_every_option_is_tried():
    assert VALUES.keys() == Options.model_fields.keys()


@pytest.fixture(scope="module")
def versions(tmp_path_factory) -> tuple[Path, Path]:
    """A model of every kind of layer, and the one before it."""
    root = tmp_path_factory.mktemp("options")
    rng = np.random.default_rng(1)
    found = []
    for day in (0, 1):
        conv = np.stack([structured(rng, 24, 12) for _ in range(4)], axis=2).reshape(24, 12, 2, 2)
        qkv = {"c_attn.weight": structured(rng, 32, 96)}
        found.append(write(root / str(day), weights(day, **{"conv.weight": conv, **qkv}), day))
    return found[0], found[1]


def audit(versions: tuple[Path, Path], **options: object) -> dict[str, Any]:
    """The document of the second version against the first."""
    config = Config(
        sources=(Plugin("folder", {"root": "models"}),),
        policy="strict",
        analysis=Options.model_validate(options),
    )
    request = Request(str(versions[1]), config, baseline=str(versions[0]))
    found: dict[str, Any] = json.loads(json.dumps(audited(request, quiet)[1], allow_nan=False))
    return found


@pytest.mark.wide
@pytest.mark.parametrize(
    "options",
    [
        *({name: value} for name, value in VALUES.items()),
        {"fix_fingers": "xmin_peak"},
        {"xmax": 2.5},
        {"convention": "weightwatcher", "fit": "TPL", "detX": True, "vectors": True},
        {"convention": "weightwatcher", "pool": False, "fix_fingers": "clip_xmax"},
        {"pool": False, "split_qkv": True, "more_distances": True, "vectors": True},
        {"intervals": False, "mp_fit": False, "randomize": False, "goodness_of_fit": True},
    ],
    ids=lambda options: ",".join(f"{name}={value}" for name, value in options.items()),
)
def test_an_audit_with_it_is_a_document_of_the_schema_and_a_report(versions, options):
    found = audit(versions, **options)
    problems = [f"{p.json_path}: {p.message[:200]}" for p in AUDIT.iter_errors(found)]
    assert not problems
    assert found["verdict"] in {"PASS", "REVIEW", "BLOCK"}
    said = {**found["analyzer"]["settings"], **found["analyzer"]}
    for name, value in options.items():
        if name != "intervals":
            assert said[name] == (list(value) if isinstance(value, tuple) else value)
    assert all(render(found, fmt) for fmt in FORMATS)


@pytest.mark.parametrize(
    ("name", "added"),
    [
        ("goodness_of_fit", {"lr_lognormal"}),
        ("detX", {"detX_num", "detX_val", "ERG_gap"}),
        ("vectors", {"tail_mean_part_ratio", "bulk_var_vec_entropy"}),
        ("cumulants", {"free_cumulant_4", "log_capacity_heavy", "log_capacity_gauss"}),
    ],
)
def test_columns_that_are_asked_for_are_there_and_others_are_not(versions, name, added):
    asked = audit(versions, **{name: True})["layers"][0]
    assert added <= asked.keys()
    assert all(asked[column] is not None for column in added)
    others = {"detX_num", "tail_mean_part_ratio", "free_cumulant_4"} - added
    assert not others & asked.keys()


def test_layers_that_are_not_asked_for_are_told_and_cost_no_coverage(versions):
    found = audit(versions, layers=("fc*",))
    assert [layer["name"] for layer in found["layers"]] == ["fc1.weight", "fc2.weight"]
    left_out = {s["name"] for s in found["skipped"] if s["reason"].startswith("not selected")}
    assert left_out == {"conv.weight", "c_attn.weight", "head.weight"}
    assert found["verdict"] != "INCOMPLETE"


def test_slices_and_parts_are_layers_of_their_own(versions):
    names = [layer["name"] for layer in audit(versions, pool=False, split_qkv=True)["layers"]]
    assert names == [
        *(f"c_attn.weight[{part}]" for part in "qkv"),
        *(f"conv.weight[{i}]" for i in range(4)),
        *("fc1.weight", "fc2.weight", "head.weight"),
    ]


def test_a_pattern_that_names_no_layer_is_refused(versions):
    with pytest.raises(UsageError, match=r"fc3\*"):
        audit(versions, layers=("fc3*",))
    with pytest.raises(UsageError, match=r"fc3\*"):
        auditor.analyze(versions[0], layers=["fc3*"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"fit": "LN"}, "fit: found 'LN'"),
        ({"xmax": -1}, "xmax: found -1: expected a number above 0, or force"),
        ({"xmax": "big"}, "xmax: found 'big'"),
        ({"fix_fingers": "cut"}, "fix_fingers: found 'cut'"),
        ({"min_tail": 1}, "min_tail: found 1"),
        ({"bootstrap": 1, "intervals": True}, "bootstrap: found 1"),
        ({"seed": -1}, "seed: found -1"),
        ({"precision": "float16"}, "precision: found 'float16'"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_what_fits(given, message):
    with pytest.raises(UsageError) as error:
        auditor.analyze({"fc": np.eye(9)}, **given)
    assert str(error.value).startswith(message)
