"""Checks on the values themselves and on the files they came from."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from auditor.checks.base import Case
from auditor.records import Finding, Severity

SHOWN = 5  # names in a sentence
KEPT = 100  # names in its evidence; a pickle of someone hostile has thousands
# whose classes are in everyday checkpoints, by the first part of the name
_FRAMEWORKS = """
    __torch__ torch torchvision torchaudio torchtext torchmetrics torchao functorch numpy
    builtins __builtin__ collections typing datetime pathlib argparse enum dataclasses
    functools operator types math decimal fractions uuid re _codecs
    transformers diffusers peft accelerate tokenizers sentence_transformers safetensors
    huggingface_hub timm lightning pytorch_lightning lightning_fabric lightning_utilities
    omegaconf easydict yacs addict scipy sklearn pandas
"""
FRAMEWORKS = frozenset(_FRAMEWORKS.split())
COMMON = frozenset({"copyreg._reconstructor", "copy_reg._reconstructor", "copyreg.__newobj__"})


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
class UnsafePickle:
    """A weight file names code that no weight file needs."""

    severity: ClassVar[Severity] = Severity.CRITICAL
    condition: ClassVar[str] = "Weight files that ask to run code"
    meaning: ClassVar[str] = (
        "Loading this file the usual way would import and may call what it names. It was read "
        "here without running anything, and nothing it names was imported."
    )
    advice: ClassVar[str] = (
        "Do not load the file. Find out who made it; ask for the weights as safetensors."
    )
    needs: ClassVar[str] = ""

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding per file, naming what it asks for."""
        for file in dict.fromkeys(found.file for found in case.reading.globals):
            names = sorted({f.name for f in case.reading.globals if f.file == file and f.dangerous})
            more = f" and {len(names) - KEPT} more" if len(names) > KEPT else ""
            if names:
                yield Finding(
                    severity=self.severity,
                    layer=file,
                    message=f"{file} asks to import {', '.join(names[:KEPT])}{more}",
                    rule="names in a pickle that can run code or reach out",
                    limit=0.0,
                    value=float(len(names)),
                    evidence={"globals": names[:KEPT]},
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomCode:
    """A weight file names classes that no common framework brings along."""

    severity: ClassVar[Severity] = Severity.INFO
    condition: ClassVar[str] = "Weight files that need code of their own"
    meaning: ClassVar[str] = (
        "Loading this file the usual way imports what it names from the code of whoever made "
        "it. Nothing is known against these names, and they were not imported here."
    )
    advice: ClassVar[str] = (
        "Load it only beside code you trust, or save the state dict alone: as safetensors it "
        "names nothing."
    )
    needs: ClassVar[str] = ""

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding per file, with the first names; what is dangerous is not among them."""
        unknown: dict[str, set[str]] = {}
        for found in case.reading.globals:
            if not found.dangerous and not _is_common(found.name):
                unknown.setdefault(found.file, set()).add(found.name)
        for file, found_names in unknown.items():
            names = sorted(found_names)
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            yield Finding(
                severity=self.severity,
                layer=file,
                message=f"{file} names {', '.join(names[:SHOWN])}{more}",
                rule="names in a pickle that no common framework brings along",
                limit=0.0,
                value=float(len(names)),
                evidence={"globals": names[:KEPT]},
            )


def _is_common(name: str) -> bool:
    return name in COMMON or name.partition(".")[0] in FRAMEWORKS


CHECKS = (NonFinite, AllZero, UnsafePickle, CustomCode)
