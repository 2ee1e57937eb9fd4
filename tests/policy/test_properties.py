"""What holds of every policy, whatever its rules, waivers and the model."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from auditor.policy import Before, Policy
from auditor.records import Level, Origin, Severity, Verdict
from tests.policy.making import HEALTHY, check, judged, limit, over_trained, policy, waiver

ORDER = [Verdict.PASS, Verdict.REVIEW, Verdict.INCOMPLETE, Verdict.BLOCK]
NAMES = ["fc", "h.0.attn.w", "head", "h.1.mlp.w"]
PATTERNS = ["*", "fc", "h.*", "nothing"]
levels = st.sampled_from(list(Level))
patterns = st.sampled_from(PATTERNS)
checks = st.builds(
    check,
    levels,
    st.sampled_from(["over_trained", "all_zero"]),
    max=st.integers(0, 2),
    layer=patterns,
    kind=st.sampled_from(["*", "dense", "attention"]),
    model=st.sampled_from(["*", "digits", "other"]),
)
limits = st.builds(
    limit,
    st.just("alpha"),
    st.sampled_from(["layer", "median", "mean"]),
    st.sampled_from(["max", "min"]),
    st.sampled_from([1.0, 2.0, 4.0]),
    levels,
    layer=patterns,
)
waivers = st.builds(waiver, st.sampled_from(["over_trained", "alpha:layer:max"]), layer=patterns)
policies = st.builds(
    lambda rules, waived: policy(*rules, waivers=waived),
    st.lists(checks | limits, max_size=5),
    st.lists(waivers, max_size=2),
)
models = st.lists(st.sampled_from(NAMES), unique=True, max_size=4).flatmap(
    lambda names: st.tuples(
        *(st.sampled_from([replace(HEALTHY, name=name), over_trained(name)]) for name in names)
    )
)


def rank(of: Policy, layers, before: Before | None = None) -> int:
    return ORDER.index(judged(of, *layers, before=before).verdict)


@given(policies, policies, models)
def test_with_a_floor_the_verdict_is_the_worse_of_both(ours, floor, layers):
    both = rank(replace(ours, floor=floor), layers)
    assert both == max(rank(ours, layers), rank(floor, layers))


@given(policies, waivers, models)
def test_a_waiver_never_makes_a_verdict_worse(ours, more, layers):
    assert rank(replace(ours, waivers=(*ours.waivers, more)), layers) <= rank(ours, layers)


@given(policies, models)
def test_a_version_is_red_only_where_a_row_of_its_gate_is(ours, layers):
    found = judged(ours, *layers)
    assert (found.verdict is Verdict.PASS) == all(row.passed for row in found.gate)
    assert found.reason
    keys = [finding.key for finding in found.findings]
    assert len(set(keys)) == len(keys)


@given(policies, models)
def test_the_same_version_again_is_open_and_accepted_once_a_person_says_so(ours, layers):
    first = judged(ours, *layers)
    again = judged(ours, *layers, before=Before(findings=first.findings))
    assert again.verdict == first.verdict
    assert {f.origin for f in again.findings} <= {Origin.OPEN, Origin.WAIVED}
    assert all(finding.severity >= Severity.INFO for finding in again.findings)
    accepted = judged(ours, *layers, before=Before(findings=first.findings, accepted=True))
    about_audit = {row.condition for row in accepted.gate if not row.passed}
    assert about_audit <= {"Share of the matrices' parameters that was read and checked"}
