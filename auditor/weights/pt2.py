"""``model.pt2``, what ``torch.export.save`` writes: a zip with raw weights and a JSON index.

Its pickles (sample inputs, constants, weights of unusual kinds) are only replayed for the names
they ask to import: `torch.export.load` loads them without PyTorch's guard.

References
----------
``torch/_export/serde/schema.py`` (ScalarType, PayloadConfig) and
``torch/export/pt2_archive/_package.py`` of PyTorch 2.13.
"""

import re
from collections.abc import Iterator, Mapping
from functools import partial

from auditor.errors import WeightsError
from auditor.weights.archive import Archive
from auditor.weights.formats import Blob, Contents, Format
from auditor.weights.nested import named_inside
from auditor.weights.safetensors import HEADER_LIMIT, parse_json
from auditor.weights.views import Place, Unread, View, checked_view, lay

WEIGHTS = "data/weights/"
CONFIG = re.compile(r"^data/weights/(?P<model>[^/]+)_weights_config\.json$")
STRIDED = 7  # the only layout with plain values
SCALAR_TYPES = {
    1: "uint8",
    2: "int8",
    3: "int16",
    4: "int32",
    5: "int64",
    6: "float16",
    7: "float32",
    8: "float64",
    9: "complex32",
    10: "complex64",
    11: "complex128",
    12: "bool",
    13: "bfloat16",
    28: "uint16",
    29: "float8_e4m3fn",
    30: "float8_e5m2",
    31: "float8_e4m3fnuz",
    32: "float8_e5m2fnuz",
    33: "float8_e8m0fnu",
    34: "uint32",
    35: "uint64",
}


def read(file: Blob) -> Contents:
    """The tensors of one file, named as ``state_dict()`` would.

    Raises
    ------
    WeightsError
        If the archive cannot be parsed. An index that cannot is a failure, with what its
        pickles name.
    """
    archive = Archive(file)
    views: dict[str, View | Unread] = {}
    try:
        views.update(_indexed(archive))
        tensors, skipped = lay(file, views, partial(_place, archive))
    except WeightsError as error:
        tensors, skipped, failure = [], [], str(error)
    else:
        failure = ""
    raw = {f"{WEIGHTS}{view.storage}" for view in views.values() if isinstance(view, View)}
    named = named_inside(file, archive, raw.__contains__)
    return Contents(tuple(tensors), tuple(skipped), named, failure)


def _indexed(archive: Archive) -> Iterator[tuple[str, View | Unread]]:
    """Every weight that the indices of the archive list."""
    archive.must_be_little_endian()
    configs = {found["model"]: name for name in archive if (found := CONFIG.match(name))}
    if not configs:
        raise WeightsError(
            "has no data/weights/*_weights_config.json, it is an older or a compiled export; "
            "export the model again with torch.export.save"
        )
    for model, name in configs.items():
        prefix = f"{model}." if len(configs) > 1 else ""
        config = parse_json(archive.read(name, HEADER_LIMIT), "index of weights")
        yield from ((prefix + key, view) for key, view in _views(config))


def _place(archive: Archive, view: View) -> Place:
    return archive.place(f"{WEIGHTS}{view.storage}")


def _views(config: object) -> Iterator[tuple[str, View | Unread]]:
    entries = config.get("config") if isinstance(config, dict) else None
    if not isinstance(entries, dict):
        raise WeightsError("its index of weights has no table `config`")
    for name, entry in entries.items():
        if not isinstance(entry, dict) or not isinstance(entry.get("path_name"), str):
            raise WeightsError(f"weight {name[:200]!r} has no path_name in the index")
        yield name, _view(entry["path_name"], entry)


def _view(record: str, entry: Mapping[str, object]) -> View | Unread:
    meta = entry.get("tensor_meta")
    if entry.get("use_pickle") is not False or not isinstance(meta, dict):
        return Unread("it is stored as a pickle, which is never executed here")
    shape, strides = _numbers(meta.get("sizes")), _numbers(meta.get("strides"))
    offset, code = _number(meta.get("storage_offset")), meta.get("dtype")
    if meta.get("layout") != STRIDED or None in (shape, strides):
        return Unread("it is sparse or of a size that is not known")
    dtype = SCALAR_TYPES.get(code, "") if type(code) is int else ""
    return checked_view(record, dtype or f"scalar type {code}", shape, strides, offset)


def _numbers(values: object) -> list[object] | None:
    """``[{"as_int": 3}, ...]`` as ``[3, ...]``; None where one is an expression."""
    if not isinstance(values, list):
        return None
    numbers = [_number(value) for value in values]
    return None if None in numbers else numbers


def _number(value: object) -> object:
    return value.get("as_int") if isinstance(value, dict) else value


def _matches(file: Blob, head: bytes) -> bool:
    first = head[30:200].partition(b"/")[2]  # behind the zip header: the first member's name
    is_export = first.startswith((b"data/weights/", b"archive_format"))
    return head.startswith(b"PK\x03\x04") and (is_export or file.name.lower().endswith(".pt2"))


PT2 = Format("torch.export", _matches, read)
