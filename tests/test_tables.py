"""``auditor.series`` and the command: a table of models in, no claim out."""

import csv
import json
import math
from collections import defaultdict

import numpy as np
import pandas as pd
import pytest

import auditor
from auditor.cli import run
from auditor.errors import UsageError

ROWS = """\
model,family,test_error,alpha,log_norm,note
a1,a,10,3.0,1.0,first
a2,a,9,3.1,,second
a3,a,8,3.2,3.0,third
b1,b,5,2.0,4.0,
b2,b,4,2.1,5.0,
b3,b,3,2.2,6.0,
c1,c,,9.0,9.0,not reported
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "models.csv"
    path.write_text(ROWS, encoding="utf-8")
    return path


def test_every_column_of_numbers_is_set_against_the_quality(table):
    found = auditor.series(table, quality="test_error", groups="family")
    assert [of.metric for of in found.metrics] == ["alpha", "log_norm"]
    assert found.models == 6
    by = {of.metric: of for of in found.metrics}
    assert by["alpha"].overall.models == 6
    assert by["log_norm"].overall.models == 5
    assert list(by["alpha"].groups) == ["a", "b", "c"]
    assert by["alpha"].groups["a"].tau == pytest.approx(-1.0)
    assert by["alpha"].is_reversed
    assert not by["log_norm"].is_reversed


def test_a_path_a_frame_and_a_mapping_are_read_alike(table):
    expected = auditor.series(table, quality="test_error", groups="family").to_dict()
    frame = pd.read_csv(table, keep_default_na=False, na_values=[""])
    for same in (str(table), frame, frame.to_dict("list")):
        found = auditor.series(same, quality="test_error", groups="family").to_dict()
        assert json.dumps(found) == json.dumps(expected)


def test_details_have_a_row_per_metric_and_group(table):
    found = auditor.series(table, quality="test_error", metrics=["alpha"], groups=["family"])
    details = found.details
    assert details["group"].isna().tolist() == [True, False, False, False]
    assert details["models"].tolist() == [6, 3, 3, 0]
    assert details["is_reversed"].all()
    row = details.iloc[1]
    assert (row["slope"], row["intercept"]) == pytest.approx((-10.0, 40.0))


def test_groups_may_be_of_several_columns(table):
    found = auditor.series(
        table, quality="test_error", metrics=["alpha"], groups=["family", "note"]
    )
    assert "a / first" in found.metrics[0].groups


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"quality": "accuracy"}, "no column 'accuracy'; it has 'model', 'family'"),
        ({"quality": "test_error", "metrics": ["beta"]}, "no column 'beta'"),
        ({"quality": "test_error", "groups": "series"}, "no column 'series'"),
        ({"quality": "note"}, r"'note', row 1: found 'first', expected a number"),
        ({"quality": "test_error", "metrics": ["note"]}, "expected a number"),
    ],
)
def test_a_column_that_does_not_fit_is_named(table, given, message):
    with pytest.raises(UsageError, match=message):
        auditor.series(table, **given)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a first line of column names"),
        ("a,a\n1,2\n", "column names, each once"),
        ("a,b\n1,2\n1\n", "row 2 has 1 cells, expected 2"),
        ("a,b\n1,2\n3,4\n", "2 models have a a; expected 3 or more"),
        ('a,b\n1,"2\n', "cannot be read as a CSV table"),
        ("a,b\n1,x\n2,y\n3,z\n", "no column of 'a', 'b' holds numbers only"),
    ],
)
def test_a_table_that_is_none_says_what_is_wrong(tmp_path, text, message):
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        auditor.series(path, quality="a")


def test_other_things_are_no_table(tmp_path):
    (tmp_path / "bytes.csv").write_bytes(b"a,b\n\xff\xfe,1\n")
    for wrong in (tmp_path, tmp_path / "none.csv", tmp_path / "bytes.csv"):
        with pytest.raises(UsageError, match="cannot be read as a CSV table"):
            auditor.series(wrong, quality="a")
    with pytest.raises(UsageError, match="found a int"):
        auditor.series(3, quality="a")
    with pytest.raises(UsageError, match="expected one length"):
        auditor.series({"a": [1, 2, 3], "b": [1]}, quality="a")


# --- the command --------------------------------------------------------------------------


ALPHA = ["--quality", "alpha"]


def test_the_table_flags_the_paradox_and_claims_nothing(table, capsys):
    assert run(["series", str(table), "--quality", "test_error", "--group", "family"]) == 0
    said = capsys.readouterr().out
    assert "alpha: within most groups the sign is the opposite one (Simpson's paradox)" in said
    assert "no evidence that a metric predicts quality" in said
    assert "log_norm: within" not in said


def test_csv_has_a_row_per_metric_and_group_and_no_formula(tmp_path, capsys):
    path = tmp_path / "t.csv"
    path.write_text("q,=m,g\n1,1,+a\n2,2,+a\n3,5,+a\n", encoding="utf-8")
    assert run(["series", str(path), "--quality", "q", "--group", "g", "--csv"]) == 0
    whole, part = csv.DictReader(capsys.readouterr().out.splitlines())
    assert (whole["metric"], whole["group"], whole["models"]) == ("'=m", "", "3")
    assert part["group"] == "'+a"


def test_json_is_one_document_with_null_for_what_is_undefined(table, capsys):
    words = ["--quality", "test_error", "--metrics", "alpha", "--group", "family", "--json"]
    assert run(["series", str(table), *words]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["quality"], found["models"]) == ("test_error", 6)
    [alpha] = found["metrics"]
    assert alpha["is_reversed"] is True
    assert alpha["groups"]["c"] == {
        "models": 0,
        **dict.fromkeys(set(alpha["overall"]) - {"models"}),
    }


@pytest.mark.parametrize(
    "words", [[], ["--quality", "x"], ["--quality", "alpha", "--csv", "--json"]]
)
def test_what_cannot_be_done_is_one_line_and_exit_two(words, table, capsys):
    assert run(["series", str(table), *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


# --- the published table ------------------------------------------------------------------

STATISTICS = {"R2": "r2", "RMSE": "rmse", "kendall_tau": "tau"}
COLUMNS = {"log_spectral_norm": "ln_spectral_norm"}  # it was the natural logarithm


@pytest.mark.data
def test_the_published_fits_are_reproduced_to_two_decimals(data):
    models = pd.read_csv(data / "tables" / "osmr_models.csv")
    counted = models[models["in_published_fit"]]
    published = pd.read_csv(data / "tables" / "osmr_published_fits.csv").to_dict("records")
    wanted = {COLUMNS.get(row["metric"], row["metric"]) for row in published}
    found = auditor.series(
        counted, quality="test_error_percent", metrics=sorted(wanted), groups=["dataset", "group"]
    )
    relations = {of.metric: of for of in found.metrics}
    errors = defaultdict(list)
    for row in published:
        relation = relations[COLUMNS.get(row["metric"], row["metric"])]
        ours = relation.groups[f"{row['dataset']} / {row['group']}"]
        assert ours.models == row["n_models"]
        value = abs(getattr(ours, STATISTICS[row["statistic"]]))  # τ was printed without its sign
        errors[row["statistic"]].append(abs(value - row["published"]))
    assert {name: len(values) for name, values in errors.items()} == dict.fromkeys(STATISTICS, 32)
    assert max(map(max, errors.values())) <= 0.005 + 1e-9


@pytest.mark.data
def test_across_architectures_the_published_correlation_vanishes(data):
    models = pd.read_csv(data / "tables" / "osmr_models.csv")
    largest = models[models["dataset"] == "imagenet-1k"]
    found = auditor.series(
        largest, quality="test_error_percent", metrics=["alpha_weighted", "log_norm"]
    )
    assert all(of.overall.r2 < 0.05 for of in found.metrics)
    assert all(math.isfinite(of.overall.tau_p) for of in found.metrics)
    assert np.isfinite(found.details["rmse"]).all()
