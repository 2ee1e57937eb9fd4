"""Reports in a folder: ``<folder>/<source>/<model>/<version>.html``."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from auditor.document import Document
from auditor.errors import ConfigError, SinkError, translate
from auditor.render import FORMATS, TABLE, render
from auditor.whole_files import whole

LONGEST = 80  # characters of a name that are kept; file systems allow 255 bytes
UNSAFE = re.compile(r"[^a-z0-9._-]")
MARKED = re.compile(r"-[0-9a-f]{12}$")  # ends like a name that was changed
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)")  # devices of Windows


@dataclass(frozen=True)
class Files:
    """Writes every audit as files, each whole or not at all."""

    folder: Path = Path("reports")
    formats: tuple[str, ...] = ("html", "json")
    name: str = "files"

    def __post_init__(self) -> None:
        """Refuse a format that nothing can write.

        Raises
        ------
        ConfigError
            If a format is not one of `auditor.render.FORMATS`.
        """
        for fmt in self.formats:
            if fmt not in FORMATS:
                raise ConfigError(f"no report format {fmt!r}; there are: {', '.join(FORMATS)}")

    def write(self, document: Document) -> None:
        """Write one audit in every format; the same audit leaves the same bytes.

        Raises
        ------
        SinkError
            If a file cannot be written; those written before it stay.
        """
        for fmt, path in zip(self.formats, self.paths(document), strict=True):
            write_whole(path, render(document, fmt))

    def paths(self, document: Document) -> list[Path]:
        """Where `write` puts an audit, one path per format.

        Names become file names that are safe everywhere and differ wherever the names do,
        also where upper and lower case are one; see `file_name`.
        """
        model = document["model"]
        folder = Path(self.folder) / file_name(model["source"]) / file_name(model["name"])
        version = file_name(model["version"])
        return [folder / f"{version}.{TABLE[fmt].ending}" for fmt in self.formats]


def file_name(name: str) -> str:
    """A file name for any name: itself where that is safe, else what is safe of it and a hash.

    Examples
    --------
    >>> file_name("resnet20-v1.5")
    'resnet20-v1.5'
    >>> file_name("../../etc/passwd")
    '__.._etc_passwd-3754d6cb3a38'
    """
    safe = UNSAFE.sub("_", name.lower())[:LONGEST]
    safe = re.sub(r"^[.-]+|^$", "_", safe).rstrip(".")
    if safe == name and not MARKED.search(name) and not RESERVED.match(name):
        return name
    digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{safe}-{digest}"


def write_whole(path: Path, text: str) -> None:
    """Put a text at `path`, as `write_parts` does."""
    write_parts(path, (text,))


def write_parts(path: Path, parts: Iterable[str]) -> None:
    """Put a text that comes in parts at `path`; nobody, and no crash, ever sees less than all.

    Raises
    ------
    SinkError
        If it cannot be written; what was at `path` is still there then.
    """
    with translate(OSError, to=SinkError, doing=f"writing {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as file:
            for part in parts:
                file.write(part.encode())
