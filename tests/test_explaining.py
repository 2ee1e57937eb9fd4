"""What is said of checks and metrics is what they say of themselves, all of it."""

import json
from dataclasses import fields
from pathlib import Path

import pytest
from pydantic import ValidationError

from auditor import checks
from auditor.checks.base import name_of
from auditor.errors import UsageError
from auditor.explaining import AboutMetric, about, every_check, pages, text
from auditor.explaining.columns import CHANGES, names
from auditor.explaining.figures import Calibration, Figures, Rate, calibration
from auditor.policies import load_policy
from auditor.policies.words import OF_CHANGES, OF_LAYERS
from auditor.policy import PRESET_NAMES, preset

ROOT = Path(__file__).parents[1]
RATE = Rate(fired=3, of=40, low=0.016, high=0.204)


def said(name):
    return "\n".join(text.lines(about(name)))


def flat(words):
    return " ".join(words.split())


def test_the_page_of_checks_is_what_the_checks_say():
    """After a change: ``auditor explain --markdown > docs/checks.md``."""
    page = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    assert page.rstrip() == pages.page().rstrip()


@pytest.mark.parametrize("check", checks.ALL, ids=name_of)
def test_a_check_is_told_with_all_that_it_says(check):
    told = flat(said(name_of(check)))
    for part in (check.meaning, check.theory, check.advice, *check.sources):
        assert flat(part) in told
    for threshold in fields(check):
        assert f"{threshold.name}: " in told


@pytest.mark.parametrize("one", every_check(), ids=lambda one: one.name)
def test_the_levels_told_are_those_of_the_presets(one):
    assert one.levels == {name: preset(name).level(one.name) for name in PRESET_NAMES}


@pytest.mark.parametrize("check", checks.BY_NAME)
def test_the_lines_for_policy_files_fit_into_one(check, tmp_path):
    one = next(one for one in every_check() if one.name == check)
    waiver = "\n".join(text.waiver(check)).replace("its last day, such as 2026-12-31", "2026-12-31")
    path = tmp_path / "policy.yaml"
    path.write_text("\n".join([*text.policy(one), waiver]), encoding="utf-8")
    policy = load_policy(str(path))
    assert policy.level(check, "mlflow:prod-x") == "error"
    assert policy.level(check, "mlflow:x") == "warn"
    assert [waiver.check for waiver in policy.waivers] == [check]
    (made,) = [found for found in policy.checks if name_of(type(found)) == check]
    assert made == checks.BY_NAME[check](), "the thresholds shown are the defaults"


@pytest.mark.parametrize("name", names())
def test_every_column_is_told_with_a_sentence(name):
    found = about(name)
    if isinstance(found, AboutMetric):
        assert found.summary.endswith(".")
    assert json.loads(json.dumps(found.as_json(), allow_nan=False))["name"] == name


def test_a_distance_is_no_metric_of_a_layer_and_has_words_of_its_own():
    assert set(CHANGES) == set(OF_CHANGES) - set(OF_LAYERS)


def test_a_column_says_which_option_adds_it():
    assert "in every audit" in said("alpha")
    assert "with the option vectors" in said("tail_mean_vec_entropy")
    assert "where there is a baseline" in said("relative")


@pytest.mark.parametrize(
    "name", ["alpha:median:max_increase", "relative:layer:max", "delta_relative"]
)
def test_a_limit_is_explained_by_its_metric(name):
    assert isinstance(about(name), AboutMetric)


@pytest.mark.parametrize("name", ["over_traned", "", "x" * 10_000, "\u202e{{7*7}}", ":"])
def test_an_unknown_name_is_one_short_line(name):
    with pytest.raises(UsageError) as caught:
        about(name)
    assert len(str(caught.value)) < 250
    assert ("did you mean over_trained" in str(caught.value)) == (name == "over_traned")


def test_the_overview_has_everything_in_a_line():
    told = list(text.overview())
    for name in (*checks.BY_NAME, *names()):
        assert any(line.split()[:1] == [name] for line in told)


# --- figures ------------------------------------------------------------------------------


def test_the_figures_that_ship_are_of_checks_that_exist():
    found = calibration()
    assert (ROOT / found.made_by).exists()
    assert set(found.checks) <= set(checks.BY_NAME)


def test_what_was_not_tried_is_said_to_be_unknown():
    assert list(text.told(None)) == ["No figures yet."]


def test_figures_say_what_they_rest_on_how_often_and_from_which_size():
    figures = Figures(
        support="experiment", min_evals=50, well_trained=RATE, causes={"lr × 30": RATE}
    )
    rate = "3 of 40 (7.5 %, 95 % interval 1.6 to 20.4 %)"
    assert list(text.told(figures)) == [
        "Supported by experiment; not reliable below 50 eigenvalues.",
        f"well-trained networks, nothing wrong: found in {rate}",
        f"lr × 30: found in {rate}",
    ]


@pytest.mark.parametrize(
    "wrong",
    [{"support": "faith"}, {"support": "experiment", "well_trained": {"fired": 1, "of": 0}}, {}],
    ids=["support", "of none", "nothing"],
)
def test_figures_of_another_form_are_refused(wrong):
    with pytest.raises(ValidationError):
        Calibration.model_validate({"made_by": "x", "checks": {"over_trained": wrong}})
