"""Waivers: in files of their own, for limits on metrics, and how they stand."""

import re
from datetime import date, timedelta

import pytest

from auditor.policies.standing import SOON, State, remark, standing, waived
from auditor.policy import Bound, MetricRule, Of, Policy
from auditor.records import Level
from auditor.render.findings import waiver as waiver_of
from tests.policies.conftest import TODAY
from tests.render import factory

ONE = '  - {check: %s, model: "%s", reason: known, owner: a.ruiz, expires: %s}\n'


def waiver(check="over_trained", model="*", expires="2026-06-30", layer=None):
    text = ONE % (f'"{check}"', model, expires)
    return text.replace(", reason", f', layer: "{layer}", reason') if layer else text


def of(*entries):
    return "waivers:\n" + "".join(entries)


# --- files of their own -------------------------------------------------------------------


def test_waivers_may_be_in_files_of_their_own_from_the_policys_folder(told):
    found = told(
        "waivers_file: review/waivers.yaml\n" + of(waiver("all_zero")),
        **{"review/waivers": of(waiver("over_trained"), waiver("random_like"))},
    )
    assert [(one.waiver.check, one.source) for one in found.waivers] == [
        ("all_zero", "policy.yaml, line 3"),
        ("over_trained", "review/waivers.yaml, line 2"),
        ("random_like", "review/waivers.yaml, line 3"),
    ]


def test_there_may_be_several_such_files(loaded):
    policy = loaded(
        "waivers_file: [a.yaml, b.yaml]", a=of(waiver("all_zero")), b=of(waiver("random_like"))
    )
    assert [one.check for one in policy.waivers] == ["all_zero", "random_like"]


def test_a_file_of_waivers_without_any_is_none(loaded):
    assert loaded("waivers_file: a.yaml", a="waivers: []").waivers == ()
    assert loaded("waivers_file: a.yaml", a="waivers:").waivers == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("extends: strict", "a.yaml:1: extends: no such setting here (there are: waivers)"),
        ("waivers_file: b.yaml", "a.yaml:1: waivers_file: no such setting here; did you mean wai"),
        ("- {check: all_zero}", "a.yaml:1: expected the keys waivers"),
        (of(waiver("over_trian")), "a.yaml:2: waivers[0].check: no such check here; did you mean"),
        (of(waiver(expires="2026-12-01")), "a.yaml:2: waivers[0].expires: found 2026-12-01: expe"),
        ("", "a.yaml: is empty: expected keys and values in YAML"),
    ],
)
def test_a_file_of_waivers_holds_waivers_only_and_all_that_holds_for_them(refused, text, said):
    (line,) = refused("waivers_file: a.yaml", a=text)
    assert line.startswith(said)


@pytest.mark.parametrize("value", ["nope.yaml", ".", "[nope.yaml]", "7", "[{check: all_zero}]"])
def test_a_file_of_waivers_is_there(refused, value):
    (line,) = refused(f"waivers_file: {value}")
    assert line.startswith("policy.yaml:1: waivers_file")
    assert line.endswith("expected the path of a file of waivers")


# --- what they are for --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("alpha:median:max_increase", "alpha:median:max_increase"),
        ("delta_relative:layer:max", "relative:layer:max"),
        ("alpha:p5:min:attention:*", "alpha:p5:min:attention:*"),
        ("alpha:p5:min:*:a:b", "alpha:p5:min:*:a:b"),
    ],
)
def test_a_limit_on_a_metric_is_waived_by_its_name(loaded, written, meant):
    (found,) = loaded(of(waiver(written))).waivers
    assert found.check == meant


@pytest.mark.parametrize(
    "written",
    ["alpha:", "alpha:median", "alpha:maximum:max", "alpha:median:up", "alpha:mean:max:mlp", ":::"],
)
def test_what_no_limit_is_called_cannot_be_waived(refused, written):
    (line,) = refused(of(waiver(written)))
    assert "expected a check, or a limit on a metric such as alpha:median:max_increase" in line


def test_a_limit_on_a_metric_that_there_is_not_cannot_be_waived(refused):
    (line,) = refused(of(waiver("alhpa:median:max")))
    assert "no such metric here; did you mean alpha?" in line


PATTERNS = ["*", "fc*", "a: b", "x #y", "${HOME}*", "[!a]*", "'\"\\\\", "\u202e*"]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_what_the_report_offers_for_a_limit_waives_that_limit(loaded, pattern):
    limit = MetricRule(
        metric="alpha", of=Of.MEAN, bound=Bound.MAX, limit=0.0, level=Level.WARN, layer=pattern
    )
    made = Policy("ours", rules=(limit,))
    document = factory.reviewed(made)
    offered = waiver_of(document, {"check": limit.check, "layer": None})
    text = offered.replace('""', '"x"')
    (found,) = loaded(re.sub("expires: .*", "expires: 2026-05-01", text)).waivers
    assert found.check == limit.check


# --- how they stand -----------------------------------------------------------------------


def stood(told, *entries, found=None, today=TODAY):
    return standing([told(of(*entries))], today, found)


@pytest.mark.parametrize(
    ("left", "state"),
    [
        (-1, State.EXPIRED),
        (0, State.ENDING),
        (SOON.days, State.ENDING),
        (SOON.days + 1, State.IN_FORCE),
    ],
)
def test_a_waiver_holds_until_the_end_of_its_last_day(told, left, state):
    (one,) = stood(told, waiver(expires=f"{TODAY + timedelta(days=left)}"))
    assert (one.state, one.days) == (state, left)


def test_how_it_stands_is_said_in_words(told):
    def said(expires, found=None):
        return stood(told, waiver(expires=expires), found=found)[0].sentence

    assert said("2026-06-30") == "holds until 2026-06-30, 120 days more"
    assert said("2026-03-03") == "holds until 2026-03-03, 1 day more"
    assert said("2026-03-01") == "expired on 2026-03-01: what it covered gates again"
    assert said("2026-06-30", {"hub:x": set()}) == (
        "holds until 2026-06-30, 120 days more; it covers nothing any more"
    )


FOUND = {
    "mlflow:digits": {("over_trained", "fc1"), ("layers_changed", None)},
    "hub:org/model": set(),
}


@pytest.mark.parametrize(
    ("entry", "stale"),
    [
        (waiver(model="mlflow:digits", layer="fc1"), False),
        (waiver(model="mlflow:*", layer="fc*"), False),
        (waiver("layers_changed", model="mlflow:digits"), False),
        (waiver(model="mlflow:digits", layer="fc2"), True),
        (waiver(model="mlflow:digits"), True),
        (waiver("random_like", model="mlflow:digits", layer="fc1"), True),
        (waiver(model="hub:*", layer="fc1"), True),
        (waiver(model="mlflow:gone", layer="fc1"), True),
    ],
)
def test_one_is_stale_when_no_newest_version_has_what_it_covers(told, entry, stale):
    (one,) = stood(told, entry, found=FOUND)
    assert one.stale is stale


@pytest.mark.parametrize("found", [None, {}])
def test_before_anything_was_audited_none_is_called_stale(told, found):
    (one,) = stood(told, waiver(), found=found)
    assert one.stale is None


def test_those_that_end_first_come_first_also_from_floors(told):
    ours = told(of(waiver(expires="2026-05-01"), waiver("all_zero", expires="2026-03-10")))
    floor = told(of(waiver("random_like", expires="2026-04-01")))
    found = standing([ours, floor], TODAY)
    assert [one.written.waiver.expires for one in found] == [
        date(2026, 3, 10),
        date(2026, 4, 1),
        date(2026, 5, 1),
    ]
    assert waived([ours, floor]) == {"over_trained", "all_zero", "random_like"}


def test_one_line_reminds_of_those_that_need_somebody(told):
    entries = [waiver(expires=day) for day in ("2026-03-01", "2026-02-01", "2026-03-10")]
    assert remark(stood(told, *entries)) == (
        "waivers: 2 expired, 1 ends soon; auditor policy waivers lists them"
    )
    stale = stood(told, waiver(), found={"mlflow:x": set()})
    assert remark(stale) == (
        "waivers: 1 covering nothing any more; auditor policy waivers lists them"
    )
    assert remark(stood(told, waiver())) == ""
