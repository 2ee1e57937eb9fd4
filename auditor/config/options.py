"""How layers are measured: the one place that checks the options of an analysis."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, WithJsonSchema

from auditor.config.section import Section
from auditor.errors import UsageError
from auditor.plugins.place import Place, problems
from auditor.records import Settings

FORCE = "force"


def _xmax(value: object) -> object:
    if value is None or value == FORCE:
        return value
    try:
        found = float(str(value))
    except ValueError:
        found = 0.0
    if isinstance(value, bool) or not 0.0 < found < float("inf"):
        raise ValueError(f"found {value!r}: expected a number above 0, or {FORCE}")
    return found


Xmax = Annotated[
    float | Literal["force"] | None,
    BeforeValidator(_xmax),
    WithJsonSchema(
        {
            "anyOf": [
                {"const": FORCE},
                {"type": "number", "exclusiveMinimum": 0},
                {"type": "null"},
            ]
        }
    ),
]


class Options(Section):
    """What is measured of every layer, and how.

    The defaults are those of an audit. Names are the reference tool's where it has the option.
    """

    convention: Literal["auditor", "weightwatcher"] = Field(
        default="auditor",
        description="auditor, which verdicts are made for, or weightwatcher for numbers that "
        "agree with the reference tool's.",
    )
    layers: tuple[str, ...] = Field(
        default=(),
        description="Patterns of the tensors to analyse, such as `h.*.mlp.*`; those after `!` "
        "are left out. None: all.",
    )
    intervals: bool = Field(default=True, description="The 95 % interval of α.")
    bootstrap: int = Field(default=100, ge=2, description="Refits behind an interval.")
    goodness_of_fit: bool = Field(
        default=False,
        description="Plausibility of the power law and its alternatives for every layer, not "
        "only for those that a check is about to judge.",
    )
    mp_fit: bool = Field(default=True, description="The Marchenko-Pastur bulk and its spikes.")
    randomize: bool = Field(default=True, description="The random twin and correlation traps.")
    detX: bool = Field(
        default=False, description="Where the product of the eigenvalues is 1, and the ERG gap."
    )
    vectors: bool = Field(
        default=False, description="Entropy and localisation of the singular vectors."
    )
    cumulants: bool = Field(default=False, description="Free cumulants and log capacities.")
    more_distances: bool = Field(
        default=False,
        description="Against a baseline also CKA, overlap of subspaces, and rank and α of the "
        "difference.",
    )
    pool: bool = Field(
        default=True,
        description="false: every slice of a convolution or stack of experts is a layer.",
    )
    split_qkv: bool = Field(
        default=False, description="true: fused query, key and value are three layers."
    )
    fit: Literal["PL", "TPL"] = Field(
        default="PL", description="PL, a power law, or TPL, one with an exponential cut-off."
    )
    fix_fingers: Literal["clip_xmax", "xmin_peak"] | None = Field(
        default=None,
        description="clip_xmax drops single large eigenvalues, xmin_peak looks for the tail's "
        "beginning near the peak of the spectrum.",
    )
    xmax: Xmax = Field(
        default=None,
        description="Where the tail ends: an eigenvalue, or force for the largest one.",
    )
    min_evals: int = Field(
        default=8, ge=1, description="With fewer eigenvalues no power law is fitted."
    )
    min_tail: int = Field(default=8, ge=2, description="Fewest eigenvalues a tail may have.")
    precision: Literal["float64", "float32"] = Field(
        default="float64", description="Of the eigenvalues: float64, or float32 on request."
    )
    seed: int = Field(default=0, ge=0, description="Of everything drawn at random.")

    @property
    def settings(self) -> Settings:
        """As the numeric core takes them."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        if not values.pop("intervals"):
            values["bootstrap"] = 0
        return Settings(**values)


def chosen(given: Mapping[str, Any]) -> Options:
    """Options by name, where they come from a caller and not from a file.

    Raises
    ------
    UsageError
        One sentence for each that does not fit: its name, what was found, what fits.
    """
    try:
        return Options.model_validate(dict(given))
    except ValidationError as error:
        raise UsageError("; ".join(problems(error, Place()))) from error
