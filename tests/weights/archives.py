"""Zip archives taken apart, put together, bent."""

import json
import struct
import zipfile
from io import BytesIO
from typing import Any

STORED = zipfile.ZIP_STORED


def unzipped(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(data)) as archive:
        return {info.filename.partition("/")[2]: archive.read(info) for info in archive.infolist()}


def rezipped(members: dict[str, bytes], *, method: int = STORED, root: str = "archive") -> bytes:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(f"{root}/{name}", content)
    return stream.getvalue()


def directory(data: bytes) -> int:
    """Where the central directory starts."""
    return int(struct.unpack("<I", data[-6:-2])[0])


def bent(data: bytes, field: int, value: bytes) -> bytes:
    """The archive with a field of the first directory entry changed."""
    changed = bytearray(data)
    start = directory(data) + field
    changed[start : start + len(value)] = value
    return bytes(changed)


def weight(path: str = "weight_0", sizes: Any = (2, 3), **meta: Any) -> dict[str, Any]:
    tensor_meta = {
        "dtype": 7,
        "sizes": [{"as_int": n} for n in sizes],
        "strides": [{"as_int": n} for n in (3, 1)],
        "storage_offset": {"as_int": 0},
        "layout": 7,
        **meta,
    }
    return {"path_name": path, "use_pickle": False, "tensor_meta": tensor_meta}


def export(config: Any, **records: bytes) -> bytes:
    text = config if isinstance(config, bytes) else json.dumps({"config": config}).encode()
    return rezipped(
        {
            **{f"data/weights/{name}": data for name, data in records.items()},
            "data/weights/model_weights_config.json": text,
            "byteorder": b"little",
        }
    )
