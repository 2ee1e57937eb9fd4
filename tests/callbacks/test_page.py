"""The examples of docs/training.md, run as they are but for how long they train."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.callbacks import test_lightning, test_transformers

pytestmark = [*test_lightning.pytestmark, pytest.mark.filterwarnings("ignore::UserWarning")]
PAGE = Path(__file__).parents[2] / "docs" / "training.md"


def example(title: str) -> str:
    text = PAGE.read_text(encoding="utf-8")
    [code] = re.findall(rf"^## {title}\n\n```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return str(code)


def run(code: str, given: dict[str, Any]) -> dict[str, Any]:
    shorter = code.replace("every=500", "every=2").replace("max_epochs=20", "max_epochs=1")
    exec(shorter, given)  # noqa: S102 - our own page
    return given


def test_the_example_for_hugging_face(tmp_path):
    arguments, data = test_transformers.arguments(tmp_path), test_transformers.rows()
    given = {"model": test_transformers.Regression(), "arguments": arguments, "data": data}
    [callback] = [
        one
        for one in run(example("Hugging Face"), given)["trainer"].callback_handler.callbacks
        if type(one).__name__ == "AuditorCallback"
    ]
    assert callback.history


def test_the_example_for_lightning(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    package = __import__("lightning.pytorch").pytorch
    given = {"model": test_lightning.module(package), "data": test_lightning.data()}
    logger = run(example("Lightning"), given)["logger"]
    found = logger.experiment.get_run(logger.run_id).data.metrics
    assert "auditor/alpha/median" in found
