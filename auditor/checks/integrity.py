"""Checks on the files that the weights come from: what they ask for, and who vouches for them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from auditor.checks.base import Case
from auditor.naming import listed
from auditor.records import Finding, Severity

KEPT = 100  # names in evidence; a pickle of someone hostile has thousands
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
    theory: ClassVar[str] = (
        "A pickle is a program: it imports what it names and calls it with what it holds, before "
        "anything of the result can be looked at. Weights need a handful of harmless names; one "
        "that starts processes, opens files or connections, or evaluates text serves nobody's "
        "weights."
    )
    sources: ClassVar[tuple[str, ...]] = (
        "Python documentation, module pickle, its first warning",
        "docs/formats.md",
    )
    needs: ClassVar[str] = ""

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding per file, naming what it asks for."""
        for file in dict.fromkeys(found.file for found in case.reading.globals):
            names = sorted({f.name for f in case.reading.globals if f.file == file and f.dangerous})
            if names:
                yield Finding(
                    severity=self.severity,
                    layer=file,
                    message=f"{file} asks to import {listed(names, KEPT)}",
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
    theory: ClassVar[str] = (
        "A whole module that is pickled names its classes, and loading it runs whatever stands "
        "under these names where it is loaded. That is everyday for models with classes of their "
        "own, and it makes the file as trustworthy as that code."
    )
    sources: ClassVar[tuple[str, ...]] = (
        "PyTorch documentation, Serialization semantics",
        "docs/formats.md",
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
            yield Finding(
                severity=self.severity,
                layer=file,
                message=f"{file} names {listed(names)}",
                rule="names in a pickle that no common framework brings along",
                limit=0.0,
                value=float(len(names)),
                evidence={"globals": names[:KEPT]},
            )


def _is_common(name: str) -> bool:
    return name in COMMON or name.partition(".")[0] in FRAMEWORKS


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedBytes:
    """Weights were read that nobody could hold against a digest."""

    severity: ClassVar[Severity] = Severity.INFO
    condition: ClassVar[str] = "Weight files that were not held against a digest"
    meaning: ClassVar[str] = (
        "Only parts of a file were fetched, so its digest could not be computed and compared. The "
        "numbers are those of what was sent, and nothing says that others get the same."
    )
    advice: ClassVar[str] = (
        "Give the audit room for whole files (limits.disk), or audit a copy on disk before the "
        "version is released."
    )
    theory: ClassVar[str] = (
        "A digest says that the bytes that were measured are those that were published, and it "
        "needs all of them. A server, a proxy or a disk can change a part and leave everything "
        "else; transport encryption covers the way, and not its ends."
    )
    sources: ClassVar[tuple[str, ...]] = (
        "NIST FIPS 180-4, Secure Hash Standard",
        "docs/formats.md",
    )
    needs: ClassVar[str] = ""

    def __call__(self, case: Case) -> Iterator[Finding]:
        """Yield one finding with the files, and their share of the measured parameters."""
        files = [file.name for file in case.reading.files if not file.verified]
        if not files:
            return
        unheld = sum(layer.parameters for layer in case.layers if not layer.verified)
        share = unheld / max(1, sum(layer.parameters for layer in case.layers))
        yield Finding(
            severity=self.severity,
            message=f"{share:.0%} of the measured parameters were not held against a digest: "
            f"{listed(files)}",
            rule="files that were read in parts",
            limit=0.0,
            value=float(len(files)),
            evidence={"files": files[:KEPT], "share": share},
        )


CHECKS = (UnsafePickle, CustomCode, UnverifiedBytes)
