"""``auditor.compare`` and the command: two models in, their distances out, nothing changed."""

import csv
import json
import math
import re

import numpy as np
import pytest
import torch

import auditor
from auditor.cli import run
from auditor.errors import UsageError
from tests.models import weights, write

MORE = {"cka_distance", "ww_cka", "subspace_overlap", "delta_rank", "delta_alpha"}


@pytest.fixture
def pair(tmp_path):
    """Two folders: layers that are equal, moved, renamed, gone, new, and broken in one."""
    before = {**weights(), "old.weight": weights(3)["fc1.weight"], "gone.weight": np.eye(9)}
    after = {**weights(), "new.weight": before["old.weight"], "here.weight": np.eye(7)}
    after["fc2.weight"] = before["fc2.weight"] * np.float32(1.5)
    before["bad.weight"] = after["fc1.weight"]
    after["bad.weight"] = np.full_like(before["bad.weight"], np.nan)
    write(tmp_path / "a", before)
    write(tmp_path / "b", after)
    return tmp_path / "a", tmp_path / "b"


def test_every_layer_is_compared_or_said_not_to_be(pair):
    before, after = pair
    found = auditor.compare(before, after)
    details = found.details.set_index("name")
    assert {"fc1.weight", "fc2.weight", "new.weight"} <= set(details.index)
    assert found.comparison.renamed == (("old.weight", "new.weight"),)
    assert details.loc["new.weight", "before"] == "old.weight"
    assert found.removed == ("gone.weight",)
    assert found.added == ("here.weight",)
    assert found.uncompared == ("bad.weight",)


def test_distances_are_those_of_the_layers(pair):
    details = auditor.compare(*pair).details.set_index("name")
    assert details.loc["fc1.weight", "relative"] == 0.0
    assert details.loc["fc2.weight", "relative"] == pytest.approx(0.5, rel=1e-6)
    assert details.loc["fc2.weight", "cosine"] == pytest.approx(0.0, abs=1e-12)
    shift = 2.0 * math.log10(1.5)
    assert details.loc["fc2.weight", "d_log_norm"] == pytest.approx(shift, rel=1e-6)
    assert not (MORE - {"delta_rank", "delta_alpha"}) & set(details.columns)


def test_more_distances_are_there_when_asked_for(pair):
    rows = {row["name"]: row for row in auditor.compare(*pair, more=True).rows()}
    same, scaled = rows["fc1.weight"], rows["fc2.weight"]
    assert same.keys() >= MORE
    assert (same["cka_distance"], same["ww_cka"], same["subspace_overlap"]) == (0.0, 1.0, 1.0)
    assert same["delta_rank"] == 0.0
    assert math.isnan(same["delta_alpha"])
    assert scaled["cka_distance"] == pytest.approx(0.0, abs=1e-9)
    assert scaled["subspace_overlap"] == pytest.approx(1.0, abs=1e-9)
    assert scaled["delta_rank"] > 1.0


def test_modules_state_dicts_and_files_compare_alike(tmp_path):
    one, two = torch.nn.Linear(30, 20), torch.nn.Linear(30, 20)
    expected = auditor.compare(one, two).rows()
    torch.save(one.state_dict(), tmp_path / "one.pt")
    torch.save(two.state_dict(), tmp_path / "two.pt")
    assert auditor.compare(one.state_dict(), two).rows() == expected
    assert auditor.compare(tmp_path / "one.pt", str(tmp_path / "two.pt")).rows() == expected


def test_neither_model_is_changed():
    one, two = torch.nn.Linear(30, 20), torch.nn.Linear(30, 20)
    before = [model.weight.clone() for model in (one, two)]
    auditor.compare(one, two, more=True)
    assert all(map(torch.equal, before, (one.weight, two.weight)))


def test_a_model_is_at_no_distance_from_itself():
    found = auditor.compare(weights(), weights(), more=True)
    assert len(found.rows()) == 3
    summary = found.summary()
    assert summary["relative"]["mean"] == summary["cka_distance"]["p95"] == 0.0
    assert summary["ww_cka"]["median"] == 1.0
    assert "delta_alpha" not in summary  # undefined everywhere
    assert (found.added, found.removed, found.uncompared, found.complete) == ((), (), (), True)


def test_a_mask_that_both_have_is_not_listed(rng):
    model = {"fc.weight": rng.normal(size=(20, 10)), "mask": np.eye(12, dtype=np.int64)}
    found = auditor.compare(model, {**model})
    assert (found.removed, found.uncompared) == ((), ())


def test_a_first_without_a_matrix_is_refused(rng):
    with pytest.raises(UsageError, match="has no matrix"):
        auditor.compare({"bias": np.ones(4)}, {"w": rng.normal(size=(9, 9))})
    with pytest.raises(UsageError, match="expected a torch module"):
        auditor.compare(3, {"w": rng.normal(size=(9, 9))})


def test_options_are_checked_as_those_of_an_analysis_are():
    with pytest.raises(UsageError, match="convention"):
        auditor.compare(weights(), weights(), convention="other")


def test_a_file_that_is_cut_short_is_not_compared_as_if_it_were_whole(tmp_path):
    path = write(tmp_path / "a", weights()) / "model.safetensors"
    short = tmp_path / "short" / "model.safetensors"
    short.parent.mkdir()
    short.write_bytes(path.read_bytes()[:-100])
    assert not auditor.compare(path, short).complete
    assert run(["compare", str(path), str(short)]) == 3


# --- the command --------------------------------------------------------------------------


def test_the_story_comes_first_then_the_table_with_the_furthest_layer_first(pair, capsys):
    assert run(["compare", *map(str, pair)]) == 0
    story, _, table = capsys.readouterr().out.partition("\n\n")
    assert story.startswith("1 of 4 layers changed, all in dense.\n3 are frozen")
    assert "Called otherwise: old.weight is new.weight." in story
    assert "1 layer is only in the first: gone.weight." in story
    assert "1 layer is only in the second: here.weight." in story
    assert "not finite or not readable: bad.weight" in story
    assert [line.split()[0] for line in table.splitlines()] == ["layer", "fc2.weight"]


def test_three_are_set_side_by_side(tmp_path, capsys):
    for name, seed in (("a", 0), ("b", 1), ("c", 2)):
        write(tmp_path / name, weights(seed))
    paths = [str(tmp_path / name) for name in "abc"]
    assert run(["compare", *paths, "--top", "1"]) == 0
    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines()[1:4]] == ["A", "B", "C"]
    assert f"A → B: {paths[1]}" in said
    assert f"A → C: {paths[2]}" in said
    assert said.count("and 2 more that changed less") == 2
    assert run(["compare", *paths, "--to", "previous"]) == 0
    assert f"B → C: {paths[2]}" in capsys.readouterr().out


def test_markdown_takes_every_name_literally(tmp_path, capsys):
    for name, seed in (("a", 0), ("b", 1)):
        write(tmp_path / name, {"<b>|x|`*.weight": weights(seed)["fc1.weight"]})
    assert run(["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--md"]) == 0
    said = capsys.readouterr().out
    assert "<b>" not in said
    row = next(line for line in said.splitlines() if line.startswith("| &lt;b"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 8


def test_csv_has_a_row_per_layer_and_no_formula(tmp_path, capsys):
    model = {"=cmd|x": weights()["fc1.weight"]}
    write(tmp_path / "a", model)
    write(tmp_path / "b", {name: 2 * value for name, value in model.items()})
    assert run(["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--csv", "--more"]) == 0
    [row] = csv.DictReader(capsys.readouterr().out.splitlines())
    assert row["name"] == row["before"] == "'=cmd|x"
    assert float(row["relative"]) == pytest.approx(1.0)
    assert set(row) >= MORE


def test_json_is_one_document_with_null_for_what_is_undefined(pair, capsys):
    assert run(["compare", *map(str, pair), "--json", "--more"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["before"], found["after"]) == tuple(map(str, pair))
    same = next(row for row in found["layers"] if row["name"] == "fc1.weight")
    assert same["delta_alpha"] is None
    assert found["uncompared"] == ["bad.weight"]
    assert found["summary"]["relative"]["n"] == len(found["layers"])


@pytest.mark.parametrize(
    "words",
    [
        ["no/such/file", "."],
        [".", "."],
        ["--json", "--csv", "a", "b"],
        ["--md", "--csv", "a", "b"],
        ["a"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_compared_is_one_line_and_exit_two(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["compare", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1
