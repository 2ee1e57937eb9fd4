"""What the Hub still allows: read, told, and spent slowly near its end."""

import pytest

from auditor.hub_client.quota import SLOWEST, Quota, window


def quota(remaining: int, seconds: int, limit: int | None = 500, kind: str = "api") -> Quota:
    headers = {"RateLimit": f'"{kind}";r={remaining};t={seconds}'}
    if limit is not None:
        headers["RateLimit-Policy"] = f'"fixed window";"{kind}";q={limit};w=300'
    made = Quota()
    made.note(headers)
    return made


@pytest.mark.parametrize(
    ("made", "pause"),
    [
        (Quota(), 0.0),
        (quota(499, 295), 0.0),
        (quota(25, 100), 0.0),  # a twentieth is not fewer than that
        (quota(24, 96), 4.0),
        (quota(10, 2), 0.2),
        (quota(2, 290), SLOWEST),
        (quota(0, 290), 0.0),  # the next answer says how long to wait
        (quota(1, 290, limit=None), 0.0),
        (quota(1, 290, kind="resolvers"), 0.0),
    ],
)
def test_the_last_requests_are_spread_over_what_is_left_of_the_window(made, pause):
    assert made.pause == pytest.approx(pause)


def test_each_kind_of_request_is_told_as_the_last_answer_said():
    made = quota(499, 295)
    made.note({"ratelimit": '"resolvers";r=2990;t=100'})
    made.note({"ratelimit": '"api";r=498;t=290', "ratelimit-policy": '"fixed";"api";q=500;w=300'})
    made.note({})
    assert made.remark == (
        "498 of 500 API requests left, 290 s to go; 2990 file requests left, 100 s to go"
    )
    assert Quota().remark == ""


@pytest.mark.parametrize(
    "said", ["", "api", '"api";r=-1;t=3', '"api";r=x;t=3', f'"api";r={"9" * 5000};t=1']
)
def test_nonsense_says_nothing(said):
    assert window({"RateLimit": said}) is None


def test_no_number_is_too_large_to_be_told():
    found = window({"RateLimit": f'"{"a" * 99}";r={10**30};t={10**30}'})
    assert found is not None
    assert len(found.kind) == 20
    assert found.seconds == found.remaining == 10**9
