"""Which weight files of a version hold its model, and which hold it once more; by names alone.

So it is known before a byte is fetched. Left out is only what the names make certain: variants
in another precision, the same weights for another framework, other quantisations in GGUF. What
takes a look inside is decided when files are opened (`copies`).

To add a framework: its name for a model's file, in `EXPORTED`.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from auditor.records import Role, Skip, SourceFile, weights_digest

TORCH = (".bin", ".pt", ".pth", ".ckpt", ".th", ".pth.tar")  # ends of names of its pickles
EXPORTED = frozenset(  # what the hubs' libraries call the same model for other frameworks
    {
        ("tf_model", ".h5"),
        ("flax_model", ".msgpack"),
        ("diffusion_flax_model", ".msgpack"),
        ("rust_model", ".ot"),
        ("openvino_model", ".bin"),
        ("model", ".onnx"),
    }
)
PYTORCH = frozenset({"pytorch_model", "diffusion_pytorch_model"})  # and for PyTorch
MODEL = PYTORCH | {"model"} | {stem for stem, _ in EXPORTED}  # in one folder they are one model
FOLDERS = frozenset({"onnx", "openvino", "coreml"})  # beside a model that hold it again
VARIANTS = ("", "fp32", "bf16", "fp16")  # the fullest precision first; all others come after
NAME = re.compile(
    r"(?P<stem>.+?)(?P<one>-[0-9]{5}-of-(?P<count>[0-9]{5}))?"
    r"(?P<variant>[._](?:fp32|fp16|bf16|fp8|int8|uint8|int4|8bit|4bit|q8|q4|q4f16|bnb4|quantized"
    r"|non_ema|ema))?(?P<two>-[0-9]{5}-of-(?P<of>[0-9]{5}))?(?P<end>\.pth\.tar|\.[^.]+)",
    re.IGNORECASE,
)
GGUF = re.compile(  # how much of it is left, behind the name of a model
    r"(?:(?P<stem>.*?)[-._])?(?P<type>(?:UD[-_])?(?:I?Q|TQ|BF|FP?|MXFP)[0-9]\w*+)", re.IGNORECASE
)
BITS = re.compile(r"[0-9]+")
SAFETENSORS, PICKLED, OTHER, UNKNOWN = range(4)  # the preferred framework first


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A weight file that holds again what another one holds."""

    file: SourceFile
    reason: str

    @property
    def may_run(self) -> bool:
        """Whether loading it may run code: then it is looked at all the same, for that alone."""
        return self.file.name.lower().endswith(TORCH)

    @property
    def skip(self) -> Skip:
        """The account of it."""
        return Skip(self.file.name, (), self.reason)


@dataclass(frozen=True, slots=True)
class Choice:
    """What to fetch and open of a version, and what not."""

    used: tuple[SourceFile, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True)
class _Family:
    """One model in one file, or in all its shards."""

    folder: PurePosixPath
    stem: str
    variant: str
    end: str  # of its files' names
    files: tuple[SourceFile, ...]
    count: int  # of shards that their names promise

    @property
    def is_whole(self) -> bool:
        """Whether all of it is there, by the names."""
        return len(self.files) == self.count

    @property
    def name(self) -> str:
        """Of its first file."""
        return min(file.name for file in self.files)

    @property
    def rank(self) -> tuple[int, int]:
        """The lower, the rather it is used: by precision, then by framework."""
        known = VARIANTS.index(self.variant) if self.variant in VARIANTS else len(VARIANTS)
        return known, self.framework

    @property
    def framework(self) -> int:
        """The lower, the rather it is used."""
        if (self.stem, self.end) in EXPORTED:
            return OTHER
        if self.end in TORCH:
            return PICKLED
        return SAFETENSORS if self.end == ".safetensors" else UNKNOWN

    @property
    def is_torch(self) -> bool:
        """Whether it is a PyTorch model for certain, and no data of another framework's."""
        return self.framework == SAFETENSORS or self.stem in PYTORCH


def wanted(files: Iterable[SourceFile]) -> Choice:
    """Choose among a version's weight files before any of them is fetched.

    Parameters
    ----------
    files
        Every file of the version; those that hold no weights by their role are passed over.

    Returns
    -------
    Choice
        Every weight file is in one of its halves, in the order given. Both what is left out
        and what is used for it are whole by their names: a shard that is missing is found.
    """
    weights = [file for file in files if file.role is Role.WEIGHTS]
    whole = [family for family in _families(weights) if family.is_whole]
    reasons: dict[str, str] = {}
    for family, reason in (*_again(whole), *_quantisations(whole)):
        reasons |= {file.name: reason for file in family.files}
    return Choice(
        used=tuple(file for file in weights if file.name not in reasons),
        left_out=tuple(LeftOut(f, reasons[f.name]) for f in weights if f.name in reasons),
    )


def stated_digest(files: Iterable[SourceFile]) -> str:
    """The digest that reading these files would give, by what their source states of them.

    Empty where it does not state the sha256 of every file that would be opened. Files whose
    tensors lie in others beside them are not known from outside: their digest is another.
    """
    choice = wanted(files)
    looked_at = [*choice.used, *(left.file for left in choice.left_out if left.may_run)]
    stated = weights_digest((file.name, file.sha256 or "") for file in looked_at)
    return stated if looked_at else ""


def _families(files: Sequence[SourceFile]) -> list[_Family]:
    found = defaultdict(list)
    for file in files:
        path = PurePosixPath(file.name)
        parts = NAME.fullmatch(path.name)
        if parts is None:
            continue
        count = int(parts["count"] or parts["of"] or 1)
        variant = (parts["variant"] or "")[1:].lower()
        found[path.parent, parts["stem"], variant, parts["end"].lower(), count].append(file)
    return [_Family(*key[:4], tuple(members), key[4]) for key, members in found.items()]


def _again(families: Sequence[_Family]) -> Iterator[tuple[_Family, str]]:
    """Variants, and the same for other frameworks."""
    plain = [family for family in families if family.end != ".gguf"]
    groups = defaultdict(list)
    for family in plain:
        stem = "model" if family.stem in MODEL else family.stem
        groups[family.folder, stem].append(family)
    best: dict[PurePosixPath, _Family] = {}
    for (folder, stem), group in groups.items():
        first = min(group, key=lambda family: (family.rank, family.name))
        if stem == "model" and first.is_torch:
            best[folder] = first
        yield from ((family, _said(family, first)) for family in group if _is_again(family, first))
    for family in plain:
        folders = (family.folder, *family.folder.parents)
        export = next((folder for folder in folders if folder.name.lower() in FOLDERS), None)
        if export and (model := best.get(export.parent)):
            yield family, f"a copy, by its folder, of what {model.name} holds"


def _is_again(family: _Family, best: _Family) -> bool:
    """Whether the names make certain that a family holds what the best one does."""
    if family is best or family.framework == UNKNOWN:
        return False
    if family.framework == OTHER != best.framework:
        return best.is_torch
    if family.framework != best.framework:
        return best.framework <= PICKLED
    is_same = (family.stem, family.end) == (best.stem, best.end)
    return is_same and family.variant != best.variant


def _said(family: _Family, best: _Family) -> str:
    if family.variant != best.variant:
        return f"a variant of what {best.name} holds"
    return f"a copy, by its name, of what {best.name} holds"


def _quantisations(families: Sequence[_Family]) -> Iterator[tuple[_Family, str]]:
    """Of one model in several GGUF types all but the one that keeps most of it."""
    groups: Mapping[tuple[PurePosixPath, str], list[tuple[_Family, str]]] = defaultdict(list)
    for family in families:
        found = GGUF.fullmatch(_full_stem(family)) if family.end == ".gguf" else None
        if found:
            apart = GGUF.fullmatch(family.folder.name)  # a folder for every type
            is_apart = apart is not None and apart["stem"] is None
            folder = family.folder.parent if is_apart else family.folder
            groups[folder, found["stem"] or ""].append((family, found["type"].upper()))
    for group in groups.values():
        best = max(group, key=lambda pair: _fidelity(*pair))[0]
        reason = f"another quantisation of what {best.name} holds"
        yield from ((family, reason) for family, _ in group if family is not best)


def _full_stem(family: _Family) -> str:
    """With what looked like a variant: in GGUF it is the type."""
    return f"{family.stem}-{family.variant}" if family.variant else family.stem


def _fidelity(family: _Family, kind: str) -> tuple[int, bool, int, str]:
    """Bits of a value; brain floats before others; then bytes."""
    bits = BITS.search(kind)
    size = sum(file.size for file in family.files)
    return int(bits.group()) if bits else 0, kind.startswith("BF"), size, family.name
