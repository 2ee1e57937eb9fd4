"""Checks on the values themselves."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from auditor.checks.base import Case, Threshold
from auditor.records import Finding, LayerRecord, Severity

CALIBRATION = "docs/calibration.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class NonFinite:
    """A tensor holds values that are not numbers or infinite."""

    severity: ClassVar[Severity] = Severity.CRITICAL
    condition: ClassVar[str] = "Tensors with values that are not finite"
    meaning: ClassVar[str] = (
        "The tensor holds NaN or infinite values. Whatever passes through it is lost, and no "
        "spectrum exists."
    )
    advice: ClassVar[str] = (
        "Look for a diverged training step or an overflow in a conversion to half precision; "
        "go back to the last checkpoint without them."
    )
    theory: ClassVar[str] = (
        "Arithmetic carries NaN through every sum and product, so one such weight makes every "
        "output NaN that depends on it. Half precision ends at 65,504: a gradient or a converted "
        "weight beyond that is infinite, and infinity less infinity is NaN."
    )
    sources: ClassVar[tuple[str, ...]] = (
        "IEEE 754-2019, sections 6.1 and 6.2",
        "Micikevicius et al. (2018), Mixed Precision Training, ICLR",
        CALIBRATION,
    )
    needs: ClassVar[str] = ""

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding per tensor."""
        for skip in case.skipped:
            if skip.non_finite:
                yield Finding(
                    severity=self.severity,
                    layer=skip.name,
                    message=f"{skip.name} holds {skip.non_finite:,} values that are NaN, "
                    f"infinite or too large to be squared, of {skip.parameters:,}",
                    rule="values that are not finite",
                    limit=0.0,
                    value=float(skip.non_finite),
                    evidence={"shape": list(skip.shape)},
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class AllZero:
    """A tensor holds nothing but zeros."""

    severity: ClassVar[Severity] = Severity.CRITICAL
    condition: ClassVar[str] = "Layers that are all zero"
    meaning: ClassVar[str] = (
        "Every weight of the layer is zero, so nothing passes through it. This is what a "
        "pruned-away, never loaded or badly exported layer looks like."
    )
    advice: ClassVar[str] = (
        "If the layer was pruned on purpose, accept the finding; else compare the export with "
        "the training checkpoint."
    )
    theory: ClassVar[str] = (
        "A layer of zeros sends every input to its bias: what stands behind it sees a constant. "
        "Training does not lead there, for no step of finite size ends at exact zeros; removing "
        "a layer, a mask, or a buffer that was never filled does."
    )
    sources: ClassVar[tuple[str, ...]] = (
        "Han et al. (2015), Learning both Weights and Connections, NeurIPS 28",
        CALIBRATION,
    )
    needs: ClassVar[str] = ""

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding per zero matrix, and information per zero vector.

        A bias or a running mean of zeros is an ordinary initial value and gates nothing.
        """
        for layer in case.layers:
            if layer.measured.status == "zero":
                yield self._finding(layer.name, layer.parameters, self.severity)
        for skip in case.skipped:
            if skip.all_zero and skip.read:
                yield self._finding(skip.name, skip.parameters, Severity.INFO)

    def _finding(self, name: str, size: int, severity: Severity) -> Finding:
        return Finding(
            severity=severity,
            layer=name,
            message=f"{name} is all zero: {size:,} values",
            rule="every value is zero",
            limit=0.0,
            value=float(size),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """Every value of a matrix is the same, and not zero."""

    severity: ClassVar[Severity] = Severity.CRITICAL
    condition: ClassVar[str] = "Layers with a single value everywhere"
    meaning: ClassVar[str] = (
        "All outputs of the layer are the same number, a multiple of the sum of its inputs. A "
        "layer that was filled with a constant and never trained or never loaded looks like this."
    )
    advice: ClassVar[str] = (
        "Look for a checkpoint key that did not match, or an initialisation with a constant; a "
        "filter that averages on purpose can be accepted."
    )
    theory: ClassVar[str] = (
        "Units with equal weights get equal gradients and stay equal, so a layer that starts "
        "with a single value keeps one direction however long it is trained. Random initial "
        "weights exist to break that symmetry."
    )
    sources: ClassVar[tuple[str, ...]] = (
        "Goodfellow, Bengio & Courville (2016), Deep Learning, section 8.4",
    )
    needs: ClassVar[str] = "constant"

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding per layer with such a matrix; of experts, naming how many.

        It is information for a single row or column, which is a gain or a position and may
        well be all ones, and for a depthwise convolution, which is how an average is written.
        """
        for layer in case.layers:
            if not (found := int(_count(layer, "constant"))):
                continue
            is_usual = layer.measured.m < 2 or layer.kind == "depthwise"
            of = "" if is_constant(layer) else f" in {found:,} of its {_matrices(layer):,} matrices"
            yield Finding(
                severity=Severity.INFO if is_usual else self.severity,
                layer=layer.name,
                message=f"{layer.name} holds one value everywhere{of}: {layer.parameters:,} values",
                rule="every value of a matrix is the same and not zero",
                limit=0.0,
                value=float(found),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadRows:
    """Rows or columns of a layer are all zero: dead outputs, unused inputs."""

    severity: ClassVar[Severity] = Severity.WARNING
    condition: ClassVar[str] = "Layers with many rows or columns of zeros"
    meaning: ClassVar[str] = (
        "A row of zeros is an output that says nothing, a column of zeros an input that is not "
        "listened to. Pruning whole channels leaves them, and so do lost parts of a merge."
    )
    advice: ClassVar[str] = (
        "After pruning, export the smaller layer instead of its zeros; else compare the layer "
        "with the training checkpoint."
    )
    theory: ClassVar[str] = (
        "Steps of finite size do not end at exact zeros in every entry of a row; a penalty on "
        "whole channels, a mask or a missing part does. What such a layer computes, a smaller "
        "one could."
    )
    sources: ClassVar[tuple[str, ...]] = (
        "Wen et al. (2016), Learning Structured Sparsity in Deep Neural Networks, NeurIPS 29",
        "Li et al. (2017), Pruning Filters for Efficient ConvNets, ICLR",
    )
    needs: ClassVar[str] = "dead_rows"

    max_share: Annotated[
        float, Threshold("up to it, of the rows and of the columns, it is information")
    ] = 0.1

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding per layer, information up to `max_share`: an unused entry or two.

        A layer that is all zero has its own finding.
        """
        for layer in case.layers:
            rows, columns = (_count(layer, name) for name in ("dead_rows", "dead_columns"))
            if layer.measured.status == "zero" or not rows + columns:
                continue
            height, width = sides(layer)
            share = max(rows / height, columns / width)
            yield Finding(
                severity=self.severity if share > self.max_share else Severity.INFO,
                layer=layer.name,
                message=f"{layer.name}: {rows:,.0f} of {height:,} rows and {columns:,.0f} of "
                f"{width:,} columns are all zero",
                rule=f"more than {self.max_share:.0%} of the rows or of the columns all zero",
                limit=self.max_share,
                value=share,
                evidence={"dead_rows": rows, "dead_columns": columns},
            )


def is_constant(layer: LayerRecord) -> bool:
    """Whether it is one value everywhere, and not zero."""
    return _count(layer, "constant") >= _matrices(layer)


def _count(layer: LayerRecord, metric: str) -> float:
    """A column that counts; 0 where it is undefined or was not measured."""
    value = layer.metrics.get(metric, 0.0)
    return 0.0 if math.isnan(value) else value


def _matrices(layer: LayerRecord) -> int:
    """How many matrices it is, the positions of a kernel being one."""
    measured = layer.measured
    slices = measured.num_evals // max(measured.m, 1)
    is_kernel = layer.kind.startswith("conv") and slices > 1
    return max(1, slices // math.prod(layer.shape[2:])) if is_kernel else max(1, slices)


def sides(layer: LayerRecord) -> tuple[int, int]:
    """Rows and columns of all its matrices."""
    is_kernel = layer.kind.startswith("conv") or layer.kind == "depthwise"
    rows = max(1, layer.shape[0] if is_kernel else math.prod(layer.shape[:-1]))
    area = layer.measured.n * layer.measured.m * _matrices(layer) ** 2
    return rows, max(1, area // rows)


CHECKS = (NonFinite, AllZero, Constant, DeadRows)
