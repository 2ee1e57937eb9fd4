"""What an HDF5 file holds: its datasets, where their values lie, and a few texts.

The h5py library reads the file's structure through a handle of ours. It follows no link but
hard ones, reads no values, loads no plugin, and the file is closed again when this is done.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from auditor.errors import WeightsError
from auditor.weights.formats import Blob
from auditor.weights.hdf5_datasets import Dataset, Id, described, shown, text
from auditor.weights.hdf5_handle import Stretch
from auditor.weights.views import Unread

FOREIGN = (OSError, RuntimeError, ValueError, TypeError, LookupError, OverflowError, MemoryError)
MOST_LINKS = 30_000  # names of groups and datasets; a transformer with its optimizer has 5,000
LONG = 100  # characters of a whole name that count as one link more
DEEPEST = 64  # groups in groups; Keras nests a model in a model, some ten deep
TEXT_LIMIT = 8 << 20  # bytes of an attribute; the longest configuration known has 0.7 MB
ALONE = (b".", b"")  # what HDF5 does not take for a name

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """A dataset by one of its names."""

    path: Path  # the names from the root to it
    address: int  # the same for two names of one dataset
    dataset: Dataset | Unread


@dataclass(slots=True)
class Tree:
    """The contents of one file."""

    found: list[Named] = field(default_factory=list)
    config: str = ""  # what Keras says of the model
    labels: dict[Path, str] = field(default_factory=dict)  # groups that Keras calls otherwise
    listed: set[Path] = field(default_factory=set)  # groups that list the layers of a model


def look(file: Blob) -> Tree:
    """Read the structure of a file; datasets are in the order of their bytes.

    Raises
    ------
    WeightsError
        If it cannot be parsed, or points to anything outside of it.
    """
    with _opened(file) as root:
        walk = _Walk(file)
        walk.over(root)
    walk.tree.found.sort(key=lambda named: (_place(named.dataset), named.path))
    return walk.tree


def _place(dataset: Dataset | Unread) -> int:
    return dataset.values.offset if isinstance(dataset, Dataset) else 0


@contextmanager
def _opened(file: Blob) -> Iterator[Id]:
    """The root group."""
    import h5py  # noqa: PLC0415 - takes 0.2 s to import

    while h5py.h5pl.size():  # folders it would search for plugins, which are shared libraries
        h5py.h5pl.remove(0)
    handle = Stretch(file, 0, file.size)
    try:
        with h5py.File(handle, "r") as opened:
            if opened.id.get_create_plist().get_sizes() != (8, 8):
                raise WeightsError("its places and sizes are not numbers of 8 bytes; save it again")
            yield opened.id
    except FOREIGN as error:  # whose text may hold any name of the file
        said = repr(str(*error.args[:1])[:200])
        raise WeightsError(f"is cut off or damaged; fetch or save it again: {said}") from error


class _Walk:
    """A walk over groups that any file may have made: shared, endless, or huge."""

    def __init__(self, file: Blob) -> None:
        self.tree = Tree()
        self._file = file
        self._left = MOST_LINKS
        self._datasets: dict[int, Dataset | Unread] = {}  # by the address of the object
        self._groups: set[int] = set()

    def over(self, root: Id) -> None:
        """Visit every group and dataset once, whatever links lead to it."""
        from h5py import h5o  # noqa: PLC0415 - as above

        self._groups.add(h5o.get_info(root).addr)
        waiting: list[tuple[Path, Id]] = [((), root)]
        while waiting:
            path, group = waiting.pop()
            self._note(path, group)
            for name, address in self._links(path, group):
                below = self._child((*path, shown(name)), group, name, address)
                if below is not None:
                    waiting.append(((*path, shown(name)), below))

    def _links(self, path: Path, group: Id) -> list[tuple[bytes, int]]:
        """Names and addresses of what lies in a group; nothing of it is opened yet."""
        from h5py import h5l  # noqa: PLC0415 - as above

        found: list[tuple[bytes, int]] = []
        names: set[bytes] = set()
        problems: list[str] = []  # an exception would not get through the library

        def take(name: bytes, link: Any) -> bool | None:  # noqa: ANN401 - h5py has no types
            problem = self._problem(
                path, name, is_inside=link.type in (h5l.TYPE_HARD, h5l.TYPE_SOFT)
            )
            if problem or name in names:
                problems.append(problem or "has two things of one name in a group; it is damaged")
            names.add(name)
            if problems:
                return True
            if link.type == h5l.TYPE_HARD:  # what a soft one leads to has a hard one of its own
                found.append((name, int(link.u)))
            return None

        group.links.iterate(take, info=True)
        if problems:
            raise WeightsError(problems[0])
        return found

    def _problem(self, path: Path, name: bytes, *, is_inside: bool) -> str:
        """Why a link must not be there; empty where it may."""
        self._left -= 1 + (sum(map(len, path)) + len(name)) // LONG
        if self._left < 0 or len(path) > DEEPEST:
            return "has more groups, longer names or deeper ones than any model"
        where = _where((*path, shown(name)))
        if not is_inside:
            return (
                f"{where} is a link to another file; nothing outside this file is opened: "
                "save it with its values in it"
            )
        if b"/" in name or name in ALONE:
            return f"{where} is a path and no name; the file is damaged"
        return ""

    def _child(self, path: Path, group: Id, name: bytes, address: int) -> Id | None:
        """A group that was not visited yet; a dataset is noted at once."""
        from h5py import h5d, h5g, h5o  # noqa: PLC0415 - as above

        if address in self._datasets:
            self.tree.found.append(Named(path, address, self._datasets[address]))
        elif address not in self._groups:
            opened = h5o.open(group, name)
            if isinstance(opened, h5g.GroupID):
                self._groups.add(address)
                return opened
            if isinstance(opened, h5d.DatasetID):
                self._datasets[address] = described(opened, self._file, _where(path))
                self.tree.found.append(Named(path, address, self._datasets[address]))
        return None

    def _note(self, path: Path, group: Id) -> None:
        """Keep what Keras writes beside its arrays."""
        from h5py import h5a  # noqa: PLC0415 - as above

        if h5a.exists(group, b"layer_names") or h5a.exists(group, b"layer_names0"):
            self.tree.listed.add(path)
        if not path and h5a.exists(group, b"model_config"):
            self.tree.config = text(group, b"model_config", TEXT_LIMIT)
        if path and path[-1] == "vars" and h5a.exists(group, b"name"):
            self.tree.labels[path] = text(group, b"name", TEXT_LIMIT)[: 10 * LONG]


def _where(path: Path) -> str:
    return repr("/".join(path)[:200])
