"""Lines of a crontab mean here what they mean to cron."""

from datetime import UTC, datetime, timedelta

import pytest

from auditor.config.crontab import following, trigger
from auditor.records import Rhythm

MONDAY = datetime(2026, 3, 2, 12, tzinfo=UTC)
SUN, MON, TUE, WED, THU, FRI, SAT = range(7)


def weekdays(field: str) -> list[int]:
    """The days in the two weeks after a Monday, 0 is Sunday, found by looking at each."""
    rhythm, found, at = Rhythm(cron=f"0 2 * * {field}", timezone="UTC"), set(), MONDAY
    while at < MONDAY + timedelta(days=14):
        at = following(rhythm, at)
        found.add(at.isoweekday() % 7)
    return sorted(found)


@pytest.mark.parametrize(
    ("field", "days"),
    [
        ("0", [SUN]),
        ("7", [SUN]),
        ("1-5", [MON, TUE, WED, THU, FRI]),
        ("5-7", [SUN, FRI, SAT]),
        ("0-2", [SUN, MON, TUE]),
        ("sun,Wed", [SUN, WED]),
        ("*/2", [SUN, TUE, THU, SAT]),
        ("1-6/2", [MON, WED, FRI]),
        ("3/2", [WED, FRI]),
        ("*", [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_days_of_the_week_are_cron_s(field, days):
    assert weekdays(field) == days


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 2 * * 8", "day of week '8': expected 0 to 7"),
        ("0 2 * * 5-1", "the week begins with Sunday"),
        ("0 2 * * 1-5/0", "must not be zero"),
        ("0 2 31 2 *", "there is no such day"),
        ("0 2 * *", "Wrong number of fields"),
        ("61 2 * * *", "higher than the maximum"),
    ],
)
def test_what_is_no_line_is_refused(line, reason):
    with pytest.raises(ValueError, match=reason):
        trigger(line, "UTC")


def test_the_next_moment_of_an_interval_and_of_a_line_in_a_time_zone():
    assert following(Rhythm(every=60.0), MONDAY) == MONDAY + timedelta(minutes=1)
    nightly = Rhythm(cron="30 2 * * *", timezone="Europe/Berlin", jitter=600.0)
    assert following(nightly, MONDAY) == datetime(2026, 3, 3, 1, 30, tzinfo=UTC)
    summer = datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert following(nightly, summer) == datetime(2026, 6, 2, 0, 30, tzinfo=UTC)


def test_no_night_is_left_out_where_the_clocks_change():
    """On 29 March they go from 2 to 3, on 25 October from 3 back to 2."""
    nightly = Rhythm(cron="30 2 * * *", timezone="Europe/Berlin")
    spring = following(nightly, datetime(2026, 3, 28, 12, tzinfo=UTC))
    assert spring == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert following(nightly, spring) == datetime(2026, 3, 30, 0, 30, tzinfo=UTC)
    autumn = following(nightly, datetime(2026, 10, 24, 12, tzinfo=UTC))
    again = following(nightly, autumn)
    assert (autumn.hour, again.hour) == (0, 1)
    assert following(nightly, again) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)
