"""Files on disk as a source would hand them over, and what `opened` makes of them."""

from collections.abc import Callable
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from hypothesis import settings
from numpy.typing import NDArray
from torch import nn

from auditor.errors import WeightsError
from auditor.records import FileFailure, SourceFile
from auditor.weights import opened, role_of
from auditor.weights.inventory import Inventory

steady = settings(derandomize=True, deadline=None)  # the same examples on any machine, slow or not


class Net(nn.Module):
    """A little of everything: tied and strided weights, buffers that are and are not kept."""

    def __init__(self) -> None:
        super().__init__()
        self.emb = nn.Embedding(7, 8)
        self.fc = nn.Linear(8, 8)
        self.bn = nn.BatchNorm1d(8)
        self.head = nn.Linear(8, 7, bias=False)
        self.head.weight = self.emb.weight
        self.register_buffer("strided", torch.arange(12.0).reshape(3, 4).t())
        self.register_buffer("transient", torch.ones(2), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shift: Any = self.strided.sum() + self.transient.sum()  # type: ignore[operator]
        return self.head(self.bn(self.fc(x))) + shift  # type: ignore[no-any-return]


def net() -> Net:
    torch.manual_seed(5)
    return Net().eval()


def source_file(path: Path, root: Path | None = None, sha: str | None = None) -> SourceFile:
    name = path.relative_to(root or path.parent).as_posix()
    return SourceFile(name, role_of(name), path.stat().st_size, lambda: path.open("rb"), sha)


def source_files(root: Path) -> list[SourceFile]:
    return [source_file(path, root) for path in sorted(root.rglob("*")) if path.is_file()]


def in_memory(name: str, data: bytes) -> SourceFile:
    return SourceFile(name, role_of(name), len(data), lambda: BytesIO(data))


def look(*files: SourceFile) -> Inventory:
    """What is in the files, after they are closed again."""
    with opened(files, "a test") as inventory:
        return inventory


def arrays(*files: SourceFile) -> dict[str, NDArray[Any]]:
    with opened(files, "a test") as inventory:
        return {t.name: t.array(t.read()) for t in inventory.tensors}


def digests(*files: SourceFile) -> dict[str, str]:
    with opened(files, "a test") as inventory:
        return {t.name: t.digest(t.read()) for t in inventory.tensors}


def the_failure(*files: SourceFile) -> FileFailure:
    """The one failure of files of which no tensor can be used."""
    inventory = look(*files)
    assert inventory.tensors == ()
    (failure,) = inventory.reading.failures
    return failure


def outcome(name: str, data: bytes) -> str:
    """The failure's reason; empty if every tensor could be read, or says that it cannot be."""
    file = in_memory(name, data)
    failures = look(file).reading.failures
    if failures:
        return failures[0].reason
    try:
        arrays(file)
    except WeightsError as error:
        return str(error)
    return ""


def saved(value: object, **options: Any) -> bytes:
    """What torch.save writes."""
    stream = BytesIO()
    torch.save(value, stream, **options)
    return stream.getvalue()


def written(path: Path, save: Callable[[Path], object]) -> SourceFile:
    save(path)
    return source_file(path)


def hexdigest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()
