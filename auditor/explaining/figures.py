"""How often each check was right and wrong in the experiments."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

FILE = "calibration.json"
SUPPORT = {
    "experiment": "supported by experiment",
    "literature": "supported by the literature only; our experiments do not show it",
    "construction": "right by construction: it states what is there",
}


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rate(_Strict):
    """How many of so many networks had the finding, with the 95 % interval of the share."""

    fired: int = Field(ge=0)
    of: int = Field(ge=1)
    low: float = Field(ge=0.0, le=1.0)
    high: float = Field(ge=0.0, le=1.0)

    def __str__(self) -> str:
        """In words, such as ``3 of 40 (8 %, 95 % interval 2 to 20 %)``."""
        share = f"{100.0 * self.fired / self.of:.3g} %"
        ends = f"{100.0 * self.low:.2g} to {100.0 * self.high:.3g} %"
        return f"{self.fired} of {self.of} ({share}, 95 % interval {ends})"


class Figures(_Strict):
    """What is known of one check."""

    support: Literal["experiment", "literature", "construction"]
    min_evals: int | None = None  # not reliable below so many eigenvalues
    well_trained: Rate | None = None  # networks with nothing wrong: its false alarms
    causes: Mapping[str, Rate] = {}  # what was done to the networks -> how many it found
    remark: str = ""

    @property
    def trust(self) -> str:
        """What it rests on, and from which size on."""
        limit = f"; not reliable below {self.min_evals} eigenvalues" if self.min_evals else ""
        return SUPPORT[self.support] + limit


class Calibration(_Strict):
    """All figures, and what made them."""

    made_by: str
    checks: Mapping[str, Figures]


@cache
def calibration() -> Calibration:
    """The figures that ship."""
    text = files("auditor.explaining").joinpath(FILE).read_text(encoding="utf-8")
    return Calibration.model_validate_json(text)
