"""What the page says, before any template."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from auditor.document import document
from auditor.records import Waiver
from auditor.render.layers import why_not_judged
from auditor.render.view import page
from tests.render import factory

WAIVER = Waiver(
    check="over_trained",
    model="mlflow:digits",
    layer="fc1.weight",
    reason="distilled on purpose",
    owner="a.ruiz",
    expires=factory.AUDITED.date() + timedelta(days=30),
)
WAIVING = replace(factory.RECOMMENDED, waivers=(WAIVER,))
ALL = ("passing", "reviewed", "blocked", "incomplete", "hostile")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("passing", "● No known symptom"),
        ("reviewed", "▲ Review needed"),
        ("blocked", "✖ Do not ship"),
        ("incomplete", "◌ Not fully checked"),
    ],
)
def test_the_title_says_the_verdict_in_glyph_and_words(name, words):
    assert page(getattr(factory, name)()).title == f"{words} · digits · v4"


def test_a_verdict_that_was_judged_again_starts_with_a_capital_and_is_told_once():
    blocked = factory.blocked()
    again = {**blocked, "reason": f"judged again, as the policy has changed: {blocked['reason']}"}
    shown = page(again)
    assert shown.reason.startswith("Judged again, as the policy has changed: ")
    assert shown.repeated


@pytest.mark.parametrize("verdict", ["REVIEW", "BLOCK"])
def test_what_to_do_without_a_baseline_is_to_name_one(verdict):
    alone = {**factory.passing(), "verdict": verdict, "comparison": None}
    assert "give --baseline" in page(alone).todo


def test_what_it_was_held_against_is_named():
    profile = {"name": "resnets", "digest": "ab" * 32, "audits": 9, "bands": {}}
    alone = {**factory.passing(), "comparison": None}
    assert page(alone).against == "no baseline to compare with"
    assert page({**alone, "profile": profile}).against == "held against profile resnets"


def test_failed_conditions_come_first():
    words = [row.badge.words for row in page(factory.blocked()).gate]
    failed = [word != "passed" for word in words]
    assert any(failed)
    assert failed == sorted(failed, reverse=True)
    assert words[0] == "failed"


def test_the_gate_has_the_baselines_numbers():
    rows = {row.condition: row for row in page(factory.reviewed()).gate}
    untrained = rows["Layers that look untrained"]
    assert (untrained.value, untrained.baseline) == ("0", "1")


def test_coverage_is_a_share_with_a_lower_limit():
    rows = [row for row in page(factory.incomplete()).gate if row.limit == "≥ 95 %"]
    assert [row.value for row in rows] == ["0 %"]


def test_tiles_count_what_changed():
    tiles = {tile.words: tile for tile in page(factory.reviewed()).tiles}
    assert tiles["fixed"].value == "1"
    assert "fc3.weight" in tiles["fixed"].note
    assert tiles["matrices analysed"].value == "4 of 4"
    assert "3 × vector" in tiles["matrices analysed"].note


def test_a_tile_says_what_is_waived_until_when_and_by_whom():
    found = factory.reviewed(WAIVING)
    tiles = {tile.words: tile for tile in page(found).tiles}
    assert tiles["waived"].value == "1"
    assert tiles["waived"].note == "until 2026-05-01 by a.ruiz: distilled on purpose"
    assert "accepted" not in tiles  # of what there is none, only what belongs to every report


def test_what_is_waived_is_said_without_a_baseline_too():
    layers = [factory.layer("fc1.weight", 1, alpha=1.5)]
    of = page(document(factory.audit(layers, policy=WAIVING)))
    assert {tile.words: tile.value for tile in of.tiles}["waived"] == "1"
    assert of.groups[0].title == "Accepted or waived"


def test_without_a_baseline_nothing_is_said_to_have_changed():
    of = page(factory.passing())
    assert of.baseline == ""
    assert of.changed == "What was found"
    assert not {"fixed", "accepted", "waived"} & {tile.words for tile in of.tiles}
    assert "d_alpha" not in {column.key for column in of.table.columns}


def test_a_pass_says_what_green_does_not_mean():
    of = page(factory.passing())
    assert "run your evaluations too" in of.todo
    assert "run your evaluations too" in of.green
    assert of.worst is None


def test_an_incomplete_audit_names_the_files_and_what_pickles_ask_for():
    of = page(factory.incomplete())
    told = [text for listing in of.refused for row in listing.rows for text in row]
    assert "the archive ends in the middle of a record" in told
    assert "posix.system" in told
    assert "audit this version again" in of.todo
    assert of.table.rows == ()


def test_a_layer_that_was_not_judged_says_why():
    row = page(factory.reviewed()).table.rows[-1]
    assert "not judged: only 6 eigenvalues" in row.cells
    assert row.state == "unjudged"


def test_a_layer_says_its_phase_and_what_it_rests_on():
    of = page(factory.reviewed())
    assert of.phases.endswith("1 undetermined")
    row = of.table.rows[-1]
    assert "undetermined" in row.cells
    assert row.phase == "undetermined: 6 eigenvalues, at least 50 are needed"


def test_an_audit_of_a_time_before_phases_is_shown_without_them():
    before = json.loads(json.dumps(factory.reviewed()))
    for layer in before["layers"]:
        layer["phase"] = None
        del layer["phase_reason"]
    of = page(before)
    assert of.phases == ""
    assert {row.phase for row in of.table.rows} == {""}


@pytest.mark.parametrize(
    ("status", "words"), [("zero", "all values are zero"), ("no tail", "no tail found")]
)
def test_every_status_has_words(status, words):
    assert why_not_judged({"status": status, "num_evals": 64}) == f"not judged: {words}"


def test_a_row_and_its_details_hold_every_number_of_the_layer():
    document = factory.reviewed()
    of = page(document)
    shown = {column.key for column in of.table.columns} | {
        name for name, _ in of.table.rows[0].rest
    }
    shown |= {"phase_reason", "name", "index", "shape", "alpha_lo", "alpha_hi", "traps", "spectrum"}
    defined = {name for name, value in document["layers"][0].items() if value is not None}
    assert defined <= shown
    assert {"delta_W", "esd_js", "cosine", "relative", "d_alpha"} <= shown


def test_embedded_columns_are_as_long_as_the_table_and_hold_the_numbers():
    document = factory.reviewed()
    data = json.loads(page(document).table.data)
    assert {len(column) for column in data["columns"].values()} == {len(document["layers"])}
    assert data["columns"]["sv_min"][0] == 0.012346  # five digits of what the factory says
    assert data["columns"]["alpha"][-1] is None
    assert len(data["charts"]) == len(document["layers"])
    assert data["charts"][-1] is None


@pytest.mark.parametrize("name", ALL)
def test_embedded_json_cannot_end_its_element(name):
    assert not set(page(getattr(factory, name)()).table.data) & set("<>&")


def test_how_it_was_made_says_enough_to_do_it_again():
    document = factory.reviewed()
    made = dict(page(document).made)
    assert made["Weights digest"] == document["weights"]["digest"]
    assert document["policy"]["hash"] in made["Policy"]
    assert made["Seed"] == "0"
    assert "models:/digits/3" in made["Baseline"]
    assert made["run_id"] == "0123456789abcdef"


def test_the_title_stays_short_whatever_the_name():
    assert len(page(factory.hostile()).title) < 250
