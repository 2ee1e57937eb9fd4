"""JSON and CSV."""

import csv
import io
import json

import pytest

from auditor.document import Document
from auditor.errors import UsageError
from auditor.render import FORMATS, render
from tests.render import factory

CASES = ("passing", "reviewed", "blocked", "incomplete", "hostile")


def rows(document: Document) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render(document, "csv"))))


@pytest.mark.parametrize("name", CASES)
def test_json_is_the_document(name):
    document = getattr(factory, name)()
    assert json.loads(render(document, "json")) == document


def test_csv_has_a_row_per_layer_with_full_numbers():
    document = factory.reviewed()
    for row, layer in zip(rows(document), document["layers"], strict=True):
        assert row["name"] == layer["name"]
        assert float(row["sv_min"]) == layer["sv_min"]
        assert row["alpha"] == ("" if layer["alpha"] is None else str(layer["alpha"]))


def test_csv_has_the_phase_and_what_it_rests_on():
    first, *_, last = rows(factory.reviewed())
    assert first["phase"] == "heavy-tailed"
    assert last["phase"] == "undetermined"
    assert last["phase_reason"] == "6 eigenvalues, at least 50 are needed"


def test_csv_has_distances_and_findings():
    first = rows(factory.reviewed())[0]
    assert float(first["relative"]) == 0.214
    assert "over_trained" in first["findings"].split()
    assert rows(factory.reviewed())[2]["findings"] == ""  # what was fixed is no finding any more


def test_no_cell_is_a_formula():
    for row in rows(factory.hostile()):
        for value in row.values():
            if not value.lstrip("+-").replace(".", "").replace("e", "").replace("-", "").isdigit():
                assert not value.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_csv_of_nothing_is_a_head_alone():
    assert render(factory.incomplete(), "csv") == "name\r\n"


def test_the_table_of_findings_has_a_row_for_each_the_worst_first():
    document = factory.reviewed()
    found = list(csv.DictReader(io.StringIO(render(document, "findings"))))
    assert len(found) == len(document["findings"])
    assert found[0]["severity"] == "warning"
    [looks] = [row for row in found if row["check"] == "over_trained"]
    [finding] = [one for one in document["findings"] if one["check"] == "over_trained"]
    assert [float(looks["interval_lo"]), float(looks["interval_hi"])] == finding["interval"]
    assert looks["message"] == finding["message"]


def test_no_cell_of_a_finding_is_a_formula():
    for row in csv.DictReader(io.StringIO(render(factory.hostile(), "findings"))):
        assert not any(value.startswith(("=", "+", "@", "\t", "\r")) for value in row.values())


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("name", CASES)
def test_the_same_document_gives_the_same_text(name, fmt):
    made = getattr(factory, name)
    assert render(made(), fmt) == render(json.loads(json.dumps(made())), fmt)


def test_an_unknown_format_is_refused_by_name():
    with pytest.raises(UsageError, match="pdf"):
        render(factory.passing(), "pdf")
