"""The front page: what it says, as text; and in a real browser, as people see it."""

import re
from base64 import b64encode
from datetime import timedelta
from hashlib import sha256
from html import unescape

import pytest
import requests

from auditor.render.text import visible
from tests.browser import LOOKS, violations
from tests.render.factory import HOSTILE
from tests.web import pages
from tests.web.standing_house import NOW, Clock, house, served

CASES = ("empty", "quiet", "troubled", "hostile", "large")


@pytest.fixture
def address(request, tmp_path):
    """Where the house of a case is served."""
    with house(tmp_path) as home:
        getattr(pages, request.param)(home)
        with served(home) as found:
            yield found


def of(*cases):
    return pytest.mark.parametrize("address", cases, indirect=True)


def words(answer):
    """The text of a page, tags and style left out."""
    body = re.sub(r"<style>.*?</style>|<[^>]*>", " ", answer.text, flags=re.DOTALL)
    return " ".join(unescape(body).split())


# --- what it says -------------------------------------------------------------------------


@of("quiet")
def test_a_quiet_week_says_so_first_and_how_long_verdicts_took(address):
    said = words(requests.get(address, timeout=30))
    assert said.startswith("Auditor: nothing is wrong ● Nothing is wrong")
    assert "Half of verdicts within 4 min of registration; 4 in 7 days" in said
    assert "95 % of verdicts within 6 min" in said
    assert "rate limit: 480 of 500 requests left until 12:05 UTC" in said
    assert "Going out" not in said


@of("troubled")
def test_our_own_failures_come_before_everything_else(address):
    said = words(requests.get(address, timeout=30))
    order = [
        "5 things to see to",
        "overdue source mlflow",
        "unreachable source hub",
        "undelivered sink files",
        "unsent messages to team",
        "quarantined models:/broken/1",
        "Half of verdicts within",
        "Models that need a look",
        "BLOCK base 1",
        "given up models:/broken/1 quarantined after 1 attempt",
        "refused models:/refused/1",
        "failing models:/flaky/1 waiting after 1 attempt, tried again in 1 min",
        "in work mlflow:",
        "overdue mlflow",
        "not reached hub",
        "results to files",
        "Latest verdicts",
    ]
    places = [said.find(part) for part in order]
    assert -1 not in places, order[places.index(-1)]
    assert places == sorted(places)


@of("empty")
def test_a_service_that_has_just_begun_has_a_page(address):
    said = words(requests.get(address, timeout=30))
    assert "nothing registered and audited in 7 days" in said
    assert "reached never, next look now" in said


@of("quiet", "troubled")
def test_every_link_leads_to_a_report(address):
    links = re.findall(r'href="([^"]+)"', requests.get(address, timeout=30).text)
    assert links
    for link in set(links):
        found = requests.get(address + link, timeout=30)
        assert found.status_code == 200
        assert found.headers["content-type"].startswith("text/html")


@of("hostile")
def test_its_policy_allows_its_style_and_nothing_else(address):
    found = requests.get(address, timeout=30)
    [style] = re.findall(r"<style>(.*?)</style>", found.text, re.DOTALL)
    allowed = b64encode(sha256(style.encode()).digest()).decode()
    assert found.headers["content-security-policy"] == (
        f"default-src 'none'; style-src 'sha256-{allowed}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )
    assert found.headers["cache-control"] == "no-store"
    assert not re.search(r"<(script|img|link|iframe)|<\w[^>]*\s(style|on\w+)=", found.text)


@of("large")
def test_a_thousand_models_fit_on_a_page(address):
    found = requests.get(address, timeout=30)
    assert len(found.content) < 100_000
    assert "Versions waiting 900" in words(found)


def test_a_ledger_that_does_not_answer_is_what_the_page_says(tmp_path):
    with house(tmp_path) as home, served(home) as address:
        with home.ledger.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE sources")
        found = requests.get(address, timeout=30)
    assert found.status_code == 503
    assert "The ledger does not answer" in words(found)
    assert "no such table: sources" in words(found)


def test_times_are_as_of_the_clock(tmp_path):
    with house(tmp_path) as home, served(home) as address:
        pages.quiet(home)
        assert isinstance(home.clock, Clock)
        home.clock.now = NOW + timedelta(minutes=3)
        said = words(requests.get(address, timeout=30))
    assert "at 2026-03-02 12:03:00 UTC" in said
    assert "reached 3 min ago" in said


# --- in a browser -------------------------------------------------------------------------


@pytest.fixture
def show(tab, address):
    """Open the page."""
    return lambda **look: tab(address + "/", **look)


@pytest.mark.wide
@pytest.mark.parametrize("look", [*LOOKS, "paper"])
@of(*CASES)
def test_it_is_silent_accessible_and_never_scrolls_sideways(show, look):
    page = show(**LOOKS.get(look, {}))
    if look == "paper":
        page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(page) == []
    if look != "paper":  # axe itself is put in, which the policy of the page remarks on
        assert page.noise == []


@pytest.mark.wide
@pytest.mark.parametrize("look", LOOKS)
@of("troubled")
def test_the_first_screen_says_what_is_wrong(show, look):
    page = show(**LOOKS[look])
    for selector in ("h1", ".alarms li:nth-child(4)"):
        box = page.locator(selector).bounding_box()
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= LOOKS[look]["viewport"]["height"]


@pytest.mark.wide
@of("hostile")
def test_hostile_names_are_inert_and_there_in_full(show):
    page = show()
    text = page.evaluate("document.body.textContent")
    for name in HOSTILE:
        assert visible(name) in text
    assert page.evaluate("document.images.length + document.scripts.length") == 0
    assert page.noise == []
