"""What a recipe is: how a way of quantising is recognised, and what its parts stand for."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditor.architecture.configs import Config
from auditor.errors import WeightsError
from auditor.weights import Tensor

Array = NDArray[Any]
Arrays = Mapping[str, Array]

BYTES = frozenset({"int8", "uint8"})
FLOATS = frozenset({"float8_e4m3fn", "float8_e5m2"})
WORDS = frozenset({"int32", "uint32"})
LARGEST = 2**31  # values of a weight, or of a side of it; the largest in use has 2**30
FEW = 8  # numbers of a tensor that is read together with the headers


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """A quantised weight as it is stored."""

    codes: Tensor
    others: Mapping[str, Tensor]  # what lies beside it, by what it is
    config: Config  # what the model's configuration says of its quantisation

    def shape(self, what: str) -> tuple[int, ...]:
        """Shape of one of the others."""
        return self.others[what].shape


@dataclass(frozen=True, slots=True, eq=False)
class Meaning:
    """What a quantised weight stands for."""

    shape: tuple[int, ...]
    values: Callable[[Arrays], Array]  # of the stored arrays by what they are, and "codes"
    dtype: str = ""  # what it is stored as; empty: as its codes are
    recipe: str = ""  # what decides the values besides the stored arrays


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """A way of quantising weights, told by the names and types of what it stores."""

    name: str
    codes: str  # end of the codes' name, behind the module's; empty: any name
    dtypes: frozenset[str]  # of the codes
    parts: Mapping[str, tuple[str, ...]]  # what lies beside them -> ends of its name
    needs: tuple[str, ...]  # parts without which it is another recipe
    meaning: Callable[[Parts], Meaning]  # raises WeightsError where the parts do not fit
    named: str | None = None  # end of the layer's name behind the module's; None: as the codes'
    applies: Callable[[Parts], bool] = lambda _: True  # tells recipes with equal names apart
    is_bytes: bool = False  # whether the type of the codes says nothing of what is in them


def must(holds: object, what: str) -> None:
    """Raise `WeightsError` with the sentence `what` unless it holds."""
    if not holds:
        raise WeightsError(what)


def shown(tensor: Tensor) -> str:
    """A tensor's name and shape, as a sentence has them."""
    return f"{tensor.name[:200]!r} of shape {'×'.join(map(str, tensor.shape)) or 'one value'}"


def sides(tensor: Tensor) -> tuple[int, int]:
    """Rows and columns of a matrix of words, none of them 0.

    Raises
    ------
    WeightsError
        If it is something else.
    """
    must(
        tensor.dtype in WORDS and len(tensor.shape) == 2, f"{shown(tensor)} holds no rows of words"
    )
    rows, columns = tensor.shape
    must(rows and columns, f"{shown(tensor)} is empty")
    return rows, columns


def numbers(tensor: Tensor) -> list[int]:
    """The few whole numbers that a tensor holds.

    Raises
    ------
    WeightsError
        If it holds more than `FEW`, or no whole numbers.
    """
    fits = "int" in tensor.dtype and not tensor.read_as and math.prod(tensor.shape) <= FEW
    must(fits, f"{shown(tensor)} does not hold the few numbers that are expected")
    return [int(value) for value in np.asarray(tensor.array(tensor.read())).reshape(-1)]
