"""The page in a real browser: silent, accessible, readable without its script."""

import csv

import pytest
from playwright.sync_api import Page

from auditor.render import render
from auditor.render.text import visible
from tests.browser import LOOKS, violations
from tests.render import factory

pytestmark = pytest.mark.wide

CASES = ("passing", "reviewed", "blocked", "incomplete", "hostile")


@pytest.fixture
def show(tab, tmp_path):
    """Open a report."""

    def open_page(document, fragment="", **look):
        file = tmp_path / "report.html"
        file.write_text(render(document), encoding="utf-8")
        return tab(file.as_uri() + fragment, **look)

    return open_page


def open_all(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")


@pytest.mark.parametrize("case", [*CASES, "large"])
def test_the_page_asks_for_nothing_and_complains_about_nothing(show, case):
    page = show(getattr(factory, case)())
    if case != "large":
        open_all(page)
    page.wait_for_timeout(100)
    assert page.noise == []


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("case", CASES[:-1])
def test_axe_finds_no_violation_with_everything_open(show, case, look):
    page = show(getattr(factory, case)(), **LOOKS[look])
    open_all(page)
    assert violations(page) == []


def test_axe_finds_no_violation_around_hostile_names(show):
    page = show(factory.hostile(), **LOOKS["narrow"])
    open_all(page)
    assert violations(page) == []


@pytest.mark.parametrize("case", CASES[:-1])
def test_axe_finds_no_violation_on_paper(show, case):
    page = show(getattr(factory, case)())
    page.emulate_media(media="print")
    assert violations(page) == []


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("case", [*CASES, "large"])
def test_the_page_never_scrolls_sideways(show, case, look):
    page = show(getattr(factory, case)(), **LOOKS[look])
    if case != "large":
        open_all(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("case", ["blocked", "reviewed", "incomplete"])
def test_the_first_screen_says_what_is_wrong_and_what_to_do(show, case, look):
    page = show(getattr(factory, case)(), **LOOKS[look])
    height = LOOKS[look]["viewport"]["height"]
    for selector in ("h1", ".reason", ".lead dl"):
        box = page.locator(selector).first.bounding_box()
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= height


def test_facts_are_readable_without_script(show):
    document = factory.reviewed()
    page = show(document, java_script_enabled=False)
    page.locator("#layers summary").first.click()
    said = page.locator("body").inner_text()
    assert document["layers"][0]["digest"] in said
    assert "Filter" not in said
    assert "not judged: only 6 eigenvalues" in said.replace("\n", " ")


def test_filter_and_order_live_in_the_address(show):
    page = show(factory.large())
    page.fill("#filter", "down_proj")
    page.select_option("#state", "warning")
    page.get_by_role("button", name="α [95 %]").click()
    page.get_by_role("button", name="α [95 %]").click()
    seen = page.locator("#layers tbody:visible summary").all_inner_texts()
    alphas = page.locator("#layers tbody:visible td:nth-child(6)").all_inner_texts()
    assert 0 < len(seen) < 224
    assert all("down_proj" in name for name in seen)
    values = [float(text.split()[0]) for text in alphas]
    assert values == sorted(values, reverse=True)
    fragment = page.evaluate("location.hash")
    again = show(factory.large(), fragment)
    assert again.locator("#layers tbody:visible summary").all_inner_texts() == seen
    assert again.locator("#layers th[aria-sort=descending]").inner_text().startswith("α")


def test_undefined_values_are_last_in_both_orders(show):
    page = show(factory.reviewed())
    button = page.get_by_role("button", name="α [95 %]")
    for _ in range(2):
        button.click()
        last = page.locator("#layers tbody").last
        assert "not judged" in last.inner_text()


def test_a_row_opens_its_numbers_and_its_spectrum_by_keyboard(show):
    page = show(factory.reviewed())
    summary = page.locator("#layers summary").nth(1)
    summary.focus()
    page.keyboard.press("Enter")
    chart = page.locator("#layers .rest svg")
    chart.wait_for(state="visible")
    assert chart.count() == 1
    assert "fc2.weight" in chart.get_attribute("aria-label")
    assert page.locator("#layers .rest").nth(1).is_visible()
    assert not page.locator("#layers .rest").nth(0).is_visible()


def test_the_drawing_of_the_script_is_the_drawing_of_the_template(show):
    page = show(factory.reviewed())
    parts = "[c.tagName, c.getAttribute('class'), c.getAttribute('d') ?? c.textContent]"
    shape = f"svg => [...svg.children].map(c => {parts})"
    page.locator("#layers summary").first.click()
    page.locator("#layers .rest svg").wait_for()
    drawn = page.locator("#layers .rest svg").evaluate(shape)
    assert drawn == page.locator(".finding svg.chart").first.evaluate(shape)


def test_a_link_to_a_layer_opens_it(show):
    page = show(factory.reviewed(), "#layer-1")
    assert page.locator("#layers .rest").nth(1).is_visible()


def test_csv_of_the_page_is_every_layer_and_no_formula(show, tmp_path):
    document = factory.hostile()
    page = show(document)
    with page.expect_download() as waiting:
        page.click("#csv")
    waiting.value.save_as(tmp_path / "layers.csv")
    with (tmp_path / "layers.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(document["layers"])
    for row, layer in zip(rows, document["layers"], strict=True):
        assert row["name"].lstrip("'") == layer["name"]
        assert not row["name"].startswith("=")
        assert float(row["alpha"]) == pytest.approx(layer["alpha"], rel=1e-4)


def test_hostile_names_are_inert_and_there_in_full(show):
    page = show(factory.hostile())
    open_all(page)
    text = page.evaluate("document.body.textContent")
    for name in factory.HOSTILE:
        assert visible(name) in text
    assert page.noise == []
    assert page.evaluate("document.images.length + document.scripts.length") == 2


def test_paper_has_everything_open_and_nothing_sticky(show):
    page = show(factory.reviewed())
    page.emulate_media(media="print")
    hidden = "d => [...d.children].some(c => c.tagName !== 'SUMMARY' && !c.getClientRects().length)"
    shut = page.locator("details:has(> :nth-child(2))").evaluate_all(f"all => all.filter({hidden})")
    assert shut == []
    assert page.locator(".rest").first.is_visible()
    assert page.locator("header").evaluate("h => getComputedStyle(h).position") == "static"


def test_a_printed_page_is_as_it_was_afterwards(show):
    page = show(factory.reviewed())
    before = page.locator("details[open]").count()
    assert page.pdf().startswith(b"%PDF")
    page.wait_for_timeout(100)
    assert page.locator("details[open]").count() == before


def test_the_verdict_stays_in_sight(show):
    page = show(factory.large(), **LOOKS["light"])
    page.evaluate("scrollTo(0, 3000)")
    assert page.locator("h1").bounding_box()["y"] >= 0
