"""A real browser: how a page is looked at, and what it must never do."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LOOKS: dict[str, Any] = {
    "light": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    "narrow": {"viewport": {"width": 360, "height": 640}, "color_scheme": "light"},
    "narrow-dark": {"viewport": {"width": 360, "height": 640}, "color_scheme": "dark"},
}


@contextmanager
def started() -> Iterator[Browser]:
    """The browser of this machine."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chrome")
    if not found:
        pytest.fail("no chromium on the path; install it, or name it in CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def tabs(browser: Browser) -> Iterator[Callable[..., Any]]:
    """Opens addresses; what a page complains about or asks for ends up in `page.noise`."""
    contexts = []

    def opened(address: str, **look: Any) -> Any:
        context = browser.new_context(**({"color_scheme": "light"} | look))
        contexts.append(context)
        page: Any = context.new_page()
        page.noise = []
        page.on("console", lambda message: page.noise.append(message.text))
        page.on("pageerror", lambda error: page.noise.append(str(error)))
        page.on("dialog", lambda dialog: (page.noise.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: page.noise.append(request.url))
        page.goto(address)
        page.noise.remove(address.partition("#")[0])
        return page

    yield opened
    for context in contexts:
        context.close()


def violations(page: Page) -> list[tuple[str, str]]:
    """What is not accessible: the rule, and where."""
    found = Axe().run(page, options={"runOnly": RULES, "resultTypes": ["violations"]})
    return [(v["id"], v["nodes"][0]["html"][:200]) for v in found.response["violations"]]
