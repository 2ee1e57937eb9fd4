"""Policy files, read as a specification; waivers from the report to the next audit."""

import re
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.app import assemble
from auditor.checks.base import Case
from auditor.config import load
from auditor.errors import ConfigError
from auditor.pipeline import once
from auditor.policies import load_policy
from auditor.policy import judge, preset
from auditor.records import Level, Verdict, Waiver
from auditor.render import render
from auditor.render.findings import literal, quoted
from auditor.wall.process import here
from tests import models
from tests.render import factory

TODAY = factory.AUDITED.date()
LONGEST = TODAY + timedelta(days=180)
WHOLE = """
waivers:
  - check: over_trained
    model: "mlflow:digits"
    layer: "fc1.*"
    reason: distilled on purpose
    owner: a.ruiz
    expires: 2026-06-30
"""


@pytest.fixture
def loaded(tmp_path):
    def read(text, today=TODAY):
        path = tmp_path / "ours.yaml"
        path.write_text(text, encoding="utf-8")
        return load_policy(str(path), today)

    return read


@pytest.fixture
def refused(loaded, tmp_path):
    """Lines that say what is wrong with a file, without its path."""

    def read(text):
        with pytest.raises(ConfigError) as caught:
            loaded(text)
        return str(caught.value).replace(f"{tmp_path / 'ours.yaml'}:", "").splitlines()

    return read


# --- levels and thresholds ----------------------------------------------------------------


def test_what_a_file_does_not_say_is_as_in_the_preset_it_extends(loaded):
    policy, strict = loaded("extends: strict\nchecks: {over_trained: off}"), preset("strict")
    assert policy.name == "ours"
    assert policy.level("over_trained") is Level.OFF
    assert policy.level("random_like") is strict.level("random_like")
    assert (policy.checks, policy.baseline, policy.waivers) == (
        strict.checks,
        strict.baseline,
        (),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "1: expected the keys extends, baseline, retroactive, checks, rules, waivers"),
        ("waiver: []", "1: waiver: no such setting here; did you mean waivers?"),
        (
            "extends: strickt",
            "1: extends: no file 'strickt': expected the name of a preset, or the path ",
        ),
        ("checks: [over_trained]", "1: checks: found ['over_trained']: expected names of checks"),
        ("checks: {over_trian: warn}", "1: checks.over_trian: no such check here; did you mean"),
        ("checks: {over_trained: eror}", "1: checks.over_trained.level: no such level here"),
        ("checks: {over_trained: {belw: 1}}", "1: checks.over_trained.belw: no such setting here"),
        ("baseline: eror", "1: baseline: no such level here; did you mean error?"),
    ],
)
def test_what_does_not_fit_is_said_with_its_line_and_what_would(refused, text, said):
    (line,) = refused(text)
    assert line.startswith(said)


# --- waivers in a file --------------------------------------------------------------------


def test_a_waiver_is_read_as_it_is_written(loaded):
    assert loaded(WHOLE).waivers == (
        Waiver(
            check="over_trained",
            model="mlflow:digits",
            layer="fc1.*",
            reason="distilled on purpose",
            owner="a.ruiz",
            expires=date(2026, 6, 30),
        ),
    )


@pytest.mark.parametrize("key", ["check", "model", "reason", "owner", "expires"])
def test_a_waiver_without_who_why_and_until_when_is_none(refused, key):
    text = "\n".join(re.sub(rf"{key}: .*", "", line) for line in WHOLE.splitlines())
    text = text.replace("  - \n    model", "  - model")
    (line,) = refused(text)
    assert line == f"3: waivers[0].{key}: is required and not there"


def test_without_a_layer_it_is_about_the_whole_version(loaded):
    (waiver,) = loaded(WHOLE.replace('    layer: "fc1.*"\n', "")).waivers
    assert waiver.layer is None


@pytest.mark.parametrize(
    ("written", "instead", "said"),
    [
        ("check: over_trained", "check: over_trian",
         "3: waivers[0].check: no such check here; did you mean over_trained? (there are: "),
        ("reason: distilled on purpose", 'reason: ""',
         "6: waivers[0].reason: is empty, and no waiver goes without it"),
        ("owner: a.ruiz", 'owner: "  "',
         "7: waivers[0].owner: is empty, and no waiver goes without it"),
        ("owner: a.ruiz", "owner: 7", "7: waivers[0].owner: found 7: input should be a valid "),
        ("owner: a.ruiz", "onwer: a.ruiz\n    owner: b",
         "7: waivers[0].onwer: no such setting here; did you mean owner? (there are: "),
        ("2026-06-30", "2026-06-31",
         "8: waivers[0].expires: found '2026-06-31': expected a day such as 2026-12-01"),
        ("2026-06-30", "never",
         "8: waivers[0].expires: found 'never': expected a day such as 2026-12-01"),
        ("2026-06-30", "1798761600",
         "8: waivers[0].expires: found 1798761600: expected a day such as 2026-12-01"),
        ("2026-06-30", "2026-06-30T12:00:00",
         "8: waivers[0].expires: found '2026-06-30T12:00:00': expected a day such as "),
    ],
)  # fmt: skip
def test_a_waiver_that_does_not_fit_is_one_line_with_the_place(refused, written, instead, said):
    (line,) = refused(WHOLE.replace(written, instead))
    assert line.startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("waivers: all", "1: waivers: found 'all': expected a list of waivers"),
        ("waivers: {check: over_trained}", "1: waivers: found {'check': 'over_trained'}: expected"),
        ("waivers: [over_trained]", "1: waivers[0]: found 'over_trained': expected the keys check"),
    ],
)
def test_waivers_are_a_list_of_keys_and_values(refused, text, said):
    (line,) = refused(text)
    assert line.startswith(said)


def test_everything_that_is_wrong_is_said_at_once(refused):
    wrong = WHOLE.replace("over_trained", "over").replace("a.ruiz", '""') + "checks: {nope: off}"
    assert [line.partition(": ")[2].partition(":")[0] for line in refused(wrong)] == [
        "checks.nope",
        "waivers[0].check",
        "waivers[0].owner",
    ]


def test_a_waiver_has_at_most_180_days_to_go_when_it_is_read(loaded, refused):
    assert loaded(WHOLE.replace("2026-06-30", f"{LONGEST}")).waivers
    (line,) = refused(WHOLE.replace("2026-06-30", f"{LONGEST + timedelta(days=1)}"))
    assert line == (
        f"8: waivers[0].expires: found {LONGEST + timedelta(days=1)}: "
        f"expected {LONGEST} or earlier, 180 days from now"
    )


def test_a_waiver_that_has_expired_is_no_mistake(loaded):
    (waiver,) = loaded(WHOLE, today=date(2027, 1, 1)).waivers
    assert waiver.expires == date(2026, 6, 30)


def test_counted_from_today_where_no_day_is_given(tmp_path):
    path = tmp_path / "ours.yaml"
    soon, late = (datetime.now(UTC).date() + timedelta(days=days) for days in (170, 190))
    path.write_text(WHOLE.replace("2026-06-30", f"{soon}"))
    assert load_policy(str(path)).waivers
    path.write_text(WHOLE.replace("2026-06-30", f"{late}"))
    with pytest.raises(ConfigError, match="180 days from now"):
        load_policy(str(path))


# --- from the report and back -------------------------------------------------------------


def pasted(page: str) -> str:
    """A policy file with every waiver that a report offers, completed by hand."""
    offered = re.findall(r'aria-label="Waiver">(.*?)</pre>', page, re.DOTALL)
    entries = "".join(unescape(text).removeprefix("waivers:\n") for text in offered)
    completed = entries.replace('reason: ""', "reason: known").replace('owner: ""', "owner: a.ruiz")
    return f"extends: recommended\nwaivers:\n{completed}"


def test_what_the_report_offers_is_refused_until_somebody_answers_for_it(refused):
    offered = pasted(render(factory.reviewed())).replace("a.ruiz", '""').replace("known", '""')
    assert {line.partition(": is empty")[0][-6:] for line in refused(offered)} == {
        ".owner",
        "reason",
    }


def test_what_the_report_offers_waives_exactly_what_it_told(loaded):
    found = factory.reviewed()
    gated = {f["id"] for f in found["findings"] if f["origin"] in {"new", "open"}}
    gated &= {f["id"] for f in found["findings"] if f["level"] != "off"}
    assert found["verdict"] == "REVIEW"

    again = factory.reviewed(loaded(pasted(render(found))))

    assert again["verdict"] == "PASS"
    assert {f["id"] for f in again["findings"] if f["origin"] == "waived"} == gated
    assert {f["waiver"] for f in again["findings"] if f["origin"] == "waived"} == {
        "until 2026-06-30 by a.ruiz: known"
    }
    assert again["counts"]["findings"]["waived"] == len(gated)
    assert again["policy"]["hash"] != found["policy"]["hash"]


def test_hostile_names_can_be_waived_and_name_nothing_else(loaded):
    found = factory.hostile()
    again = factory.hostile(loaded(pasted(render(found))))
    left = [f for f in again["findings"] if f["origin"] in {"new", "open"} and f["level"] != "off"]
    assert left == []
    assert again["verdict"] == "INCOMPLETE"


NAMES = ("blocks[0].w", "w*", "a?c", "[!a]", "${HOME}", "$${HOME}", "${", "\udc80", "'\"\\n")
OVER_TRAINED = factory.layer("fc", alpha=1.5, alpha_lo=1.4, alpha_hi=1.6)


def passes(policy, model, layer):
    case = Case((replace(OVER_TRAINED, name=layer),))
    return judge(case, policy, model=model, as_of=TODAY).verdict is Verdict.PASS


def naming(model, layer):
    text = WHOLE.replace('"mlflow:digits"', quoted(literal(model)))
    return text.replace('"fc1.*"', quoted(literal(layer)))


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_looks_like_a_pattern_or_a_variable_is_waived_as_itself(name, loaded):
    policy = loaded(naming(f"mlflow:{name}", name))
    assert passes(policy, f"mlflow:{name}", name)
    others = ("blocks0.w", "w1", "abc", "b", "fc", *(set(NAMES) - {name}))
    assert not any(passes(policy, f"mlflow:{name}", other) for other in others)
    assert not any(passes(policy, f"mlflow:{other}", name) for other in others)


@given(
    name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip),
    other=st.text(min_size=1),
)
def test_any_name_is_waived_as_itself(name, other, tmp_path_factory):
    path = tmp_path_factory.mktemp("policies") / "ours.yaml"
    path.write_text(naming("mlflow:digits", name), encoding="utf-8")
    policy = load_policy(str(path), TODAY)
    assert passes(policy, "mlflow:digits", name)
    assert passes(policy, "mlflow:digits", other) == (other == name)


# --- along the line -----------------------------------------------------------------------


@contextmanager
def running(root, *, days_on=0):
    """The configured line, on a day."""
    with assemble(load(models.config(root, policy="ours.yaml")), execute=here) as app:
        at = app.clock() + timedelta(days=days_on)
        examiner = replace(app.examiner, clock=lambda: at)
        yield replace(app, examiner=examiner, clock=lambda: at)


def test_verdicts_that_rested_on_a_waiver_are_given_again_once_it_expired(tmp_path):
    bad = models.weights(**{"fc2.weight": models.collapsed()})
    soon = datetime.now(UTC).date() + timedelta(days=3)
    waiver = (
        WHOLE.replace("over_trained", "rank_collapse")
        .replace("mlflow:digits", "folder:net")
        .replace("fc1.*", "fc2.weight")
        .replace("2026-06-30", f"{soon}")
    )
    (tmp_path / "ours.yaml").write_text(waiver)
    seen = {}
    for number, days_on in ((1, 0), (2, 1), (3, 30)):
        models.write(tmp_path / f"models/net/{number}", bad, day=number)
        with running(tmp_path, days_on=days_on) as app:
            audited = once(app).audited
        seen[number] = {found["model"]["version"]: found["verdict"] for found in audited}
    assert seen == {
        1: {"1": "PASS"},
        2: {"2": "PASS"},
        3: {"1": "BLOCK", "2": "BLOCK", "3": "BLOCK"},
    }
