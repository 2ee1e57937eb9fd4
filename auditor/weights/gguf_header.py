"""The header of a GGUF file: what its tensors are called, and where their values lie.

Read without the gguf package's own reader, which wants a path, maps the file, makes a Python
object of every word of a tokenizer, and believes every count it finds.

References
----------
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from struct import Struct

from auditor.errors import WeightsError
from auditor.weights.formats import Blob
from auditor.weights.tensors import whole_numbers

MAGIC = b"GGUF"
VERSIONS = (2, 3)
FIRST, LARGEST = 16 << 10, 512 << 10  # bytes fetched at a time; many headers end in the first
HEADER_LIMIT = 64 << 20  # bytes; the longest known, a vocabulary of 262,144 words, has 16
WORDS_LIMIT = 2_000_000  # in one list; the longest known has 600,000
KEYS_LIMIT = 10_000  # the most known are about 60
TENSORS_LIMIT = 100_000  # the most known are about 2,000
NAME_LIMIT = 20_000  # bytes; ggml itself stops at 64
DIMENSIONS = 4  # ggml's own limit
ALIGNMENT = 32  # bytes, where the file states none
TEXT, ARRAY, UINT32 = 8, 9, 4  # types of metadata
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # of the others
HEADS = (".attention.head_count", ".attention.head_count_kv")  # behind the architecture's name
LENGTH = Struct("<Q")
BIG_ENDIAN = (
    "its numbers are big-endian; convert it with `gguf-convert-endian FILE little`, "
    "which comes with the gguf package"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor as the header describes it."""

    name: str
    shape: tuple[int, ...]  # PyTorch's order: the fastest axis last
    code: int  # ggml's number of its element type
    offset: int  # from the start of the values


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the values."""

    entries: tuple[Entry, ...]
    start: int  # of the values
    alignment: int  # bytes; every tensor starts at a multiple of it
    purpose: str  # ``general.type``: model, adapter, imatrix, ...; empty where not stated
    heads: Mapping[str, int]  # of attention: q for queries, k for keys; only what is stated


def parse(file: Blob) -> Header:
    """The header, every number of it within what the file can hold.

    Raises
    ------
    WeightsError
        If it is cut off, of a version or byte order that is not read, names something twice,
        or counts more than any model has.
    """
    cursor = _Cursor(file)
    _must_be_known(cursor.take(8))
    tensors, keys = cursor.number(), cursor.number()
    if tensors > TENSORS_LIMIT or keys > KEYS_LIMIT:
        raise WeightsError(
            f"states {tensors} tensors and {keys} pieces of metadata; expected at most "
            f"{TENSORS_LIMIT} and {KEYS_LIMIT}, so it is damaged or no model"
        )
    stated = _metadata(cursor, keys)
    alignment = stated.get("general.alignment", ALIGNMENT)
    if not isinstance(alignment, int) or alignment.bit_count() != 1:
        raise WeightsError(f"states an alignment of {alignment!r}; expected a power of two")
    entries = tuple(_entries(cursor, tensors))
    purpose = stated.get("general.type", "")
    start = -(-cursor.at // alignment) * alignment
    said = purpose if isinstance(purpose, str) else ""
    return Header(entries, start, alignment, said, _heads(stated))


def _heads(stated: Mapping[str, int | str]) -> dict[str, int]:
    """Heads of queries and of keys, which are as many where nothing else is said."""
    found = {key.rpartition(".")[2]: heads for key, heads in stated.items() if key.endswith(HEADS)}
    queries = found.get("head_count")
    if not isinstance(queries, int):
        return {}
    keys = found.get("head_count_kv", queries)
    return {"q": queries, "k": keys} if isinstance(keys, int) else {}


def _must_be_known(head: bytes) -> None:
    """Refuse another magic, byte order or version."""
    version = int.from_bytes(head[4:], "little")
    if head[:4] != MAGIC:
        raise WeightsError(f"begins with {head[:4]!r}, not with GGUF; it is no GGUF file")
    if version and not version & 0xFFFF:  # as the gguf package tells it
        raise WeightsError(BIG_ENDIAN)
    if version not in VERSIONS:
        raise WeightsError(
            f"is GGUF of version {version}, versions 2 and 3 are read; "
            "convert the model again with today's llama.cpp"
        )


def _metadata(cursor: "_Cursor", count: int) -> Mapping[str, int | str]:
    """The few values that matter here, by key; all others are skipped over."""
    seen: set[str] = set()
    kept: dict[str, int | str] = {}
    for _ in range(count):
        key = cursor.text("a key of its metadata")
        if key in seen:
            raise WeightsError(f"states {key[:200]!r} twice in its metadata")
        seen.add(key)
        kind = cursor.number(4)
        if key == "general.alignment" and kind == UINT32:
            kept[key] = cursor.number(4)
        elif key == "general.type" and kind == TEXT:
            kept[key] = cursor.text(key)
        elif key.endswith(HEADS) and kind == UINT32:
            kept[key] = cursor.number(4)
        else:
            _skip(cursor, kind, key)
    return kept


def _skip(cursor: "_Cursor", kind: int, key: str) -> None:
    """Move behind one value of metadata without keeping it."""
    if kind == TEXT:
        cursor.skip_texts(1)
    elif kind == ARRAY:
        inner, count = cursor.number(4), cursor.number()
        if inner == TEXT:
            cursor.skip_texts(count)
        else:
            cursor.skip(count * _size(inner, key))
    else:
        cursor.skip(_size(kind, key))


def _size(kind: int, key: str) -> int:
    """Bytes of one number; lists of lists are in no format that ggml reads."""
    if kind not in SIZES:
        what = "a list of lists" if kind == ARRAY else f"of the unknown type {kind}"
        raise WeightsError(f"its metadata {key[:200]!r} is {what}; it is damaged or no GGUF file")
    return SIZES[kind]


def _entries(cursor: "_Cursor", count: int) -> Iterator[Entry]:
    """Every tensor's description, each name once."""
    seen: set[str] = set()
    for _ in range(count):
        name = cursor.text("a tensor's name")
        label = f"tensor {name[:200]!r}"
        if name in seen:
            raise WeightsError(f"{label} is there twice")
        seen.add(name)
        dimensions = cursor.number(4)
        if dimensions > DIMENSIONS:
            raise WeightsError(f"{label} has {dimensions} dimensions, ggml knows {DIMENSIONS}")
        sides = [cursor.number() for _ in range(dimensions)]
        shape = whole_numbers(sides[::-1], f"the shape of {label}")
        code = cursor.number(4)
        yield Entry(name, shape, code, offset=cursor.number())


class _Cursor:
    """A position in the header; the file is read a window at a time."""

    def __init__(self, file: Blob) -> None:
        self.at = 0
        self._file = file
        self._end = min(file.size, HEADER_LIMIT)
        self._window = b""
        self._start = 0  # of the window
        self._stop = 0  # behind the window
        self._size = FIRST  # of the next window

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if self.at + count > self._stop:
            self._load(count)
        begin = self.at - self._start
        self.at += count
        return self._window[begin : begin + count]

    def number(self, size: int = 8) -> int:
        """The next unsigned number of `size` bytes."""
        return int.from_bytes(self.take(size), "little")

    def text(self, what: str) -> str:
        """The next text, with its length before it; `what` names it in messages."""
        length = self.number()
        if length > NAME_LIMIT:
            raise WeightsError(f"{what} is {length} bytes long; expected at most {NAME_LIMIT}")
        try:
            return self.take(length).decode("utf-8")
        except UnicodeDecodeError as error:
            raise WeightsError(f"{what} is no UTF-8 text; it is damaged") from error

    def skip(self, count: int) -> None:
        """Move on without reading."""
        self.at += count
        self._check(self.at)

    def skip_texts(self, count: int) -> None:
        """Move behind `count` texts, reading only their lengths."""
        if count > WORDS_LIMIT:
            raise WeightsError(f"lists {count} words; expected at most {WORDS_LIMIT}")
        for _ in range(count):  # 150,000 of them are usual: nothing is called or kept for one
            if self.at + LENGTH.size > self._stop:
                self._load(LENGTH.size)
            self.at += LENGTH.size + LENGTH.unpack_from(self._window, self.at - self._start)[0]
        self._check(self.at)

    def _load(self, count: int) -> None:
        self._check(self.at + count)
        size = min(max(count, self._size), self._end - self.at)
        self._size = min(2 * self._size, LARGEST)
        self._window = self._file.read(self.at, size)
        self._start, self._stop = self.at, self.at + size

    def _check(self, end: int) -> None:
        if end > self._end:
            raise WeightsError(
                f"states a header that reaches to byte {end} at least, of {self._file.size} "
                f"({HEADER_LIMIT} are read); it is cut off or damaged, fetch it again"
            )
