"""What a Keras configuration says: the class of every layer, and the code it asks for.

It is read as JSON and nothing it names is ever imported or run.
"""

import json
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from auditor.errors import WeightsError
from auditor.records import PickleGlobal
from auditor.weights.danger import is_dangerous
from auditor.weights.keras_layout import Kind

log = logging.getLogger(__name__)

CONFIG_LIMIT = 8 << 20  # bytes; the longest known, of a network of 800 layers, has 0.7 MB
DEEPEST = 64  # models in models
MOST_NAMED = 1000  # pieces of code of one configuration; more are no more news
OURS = frozenset({"keras", "tf_keras", "tensorflow"})  # packages whose classes are no news
UNSAFE = frozenset(  # what these packages have that fetches, loads or unlocks code
    {"get_file", "enable_unsafe_deserialization", "load_model", "load_weights", "model_from_json"}
    | {"TorchModuleWrapper"}
)
LAMBDAS = ("function", "output_shape", "mask", "arguments")  # of a Lambda layer, may be code
WORD = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=.)(?=[A-Z][a-z])")

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Described:
    """A model as its configuration describes it."""

    kinds: Mapping[str, Kind] = field(default_factory=dict)  # by the layer's name
    names: Mapping[Path, str] = field(default_factory=dict)  # by the group that Keras 3 saves in
    globals: tuple[PickleGlobal, ...] = ()


def parse(text: str | bytes, file: str) -> Described:
    """Understand a configuration; one that is not understood says nothing and does no harm.

    Parameters
    ----------
    text
        JSON, as Keras writes it.
    file
        That it was found in.

    Raises
    ------
    WeightsError
        If it is longer than any model's.
    """
    if len(text) > CONFIG_LIMIT:
        raise WeightsError(
            f"its configuration has {len(text)} bytes, expected at most {CONFIG_LIMIT}"
        )
    try:
        config = json.loads(text) if text else {}
    except (ValueError, RecursionError) as error:
        log.warning("%r: %s", file, error, extra={"event": "config.unread"})
        return Described()
    kinds: dict[str, Kind] = {}
    names: dict[Path, str] = {}
    for path, name, kind in _layers(config, (), 0):
        kinds[name] = kind if kinds.get(name, kind) == kind else Kind()
        names[path] = name
    return Described(kinds, names, tuple(_named(config, file)))


def _layers(model: object, path: Path, depth: int) -> Iterator[tuple[Path, str, Kind]]:
    """Group, name and class of every layer of a model, and of the models in it."""
    inner = _fields(model).get("config")
    layers = inner if isinstance(inner, list) else _fields(inner).get("layers")
    counts: dict[str, int] = {}
    for layer in layers if isinstance(layers, list) and depth < DEEPEST else ():
        config, kind = _fields(_fields(layer).get("config")), _text(layer, "class_name")
        word = small(kind)
        counts[word] = counts.get(word, -1) + 1
        group = (*path, "layers", f"{word}_{counts[word]}" if counts[word] else word)
        name = _text(config, "name") or _text(layer, "name")
        if name:
            yield group, name, Kind(word, _text(config, "equation"))
        yield from _layers(layer, group, depth + 1)
        wrapped = config.get("layer")
        if _text(_fields(_fields(wrapped).get("config")), "name"):
            yield (*group, "layer"), _text(_fields(wrapped)["config"], "name"), _kind(wrapped)


def _kind(layer: object) -> Kind:
    return Kind(small(_text(layer, "class_name")), _text(_fields(layer).get("config"), "equation"))


def small(name: str) -> str:
    """The name of a class as Keras makes group names of it.

    Examples
    --------
    >>> small("Conv2DTranspose"), small("LSTMCell"), small("MultiHeadAttention")
    ('conv2d_transpose', 'lstm_cell', 'multi_head_attention')
    """
    return WORD.sub("_", re.sub(r"\W+", "", name)).lower()


def _named(config: object, file: str) -> Iterator[PickleGlobal]:
    """What the configuration asks to import from elsewhere, and code it carries itself."""
    found: dict[PickleGlobal, None] = {}
    waiting = [config]
    while waiting and len(found) < MOST_NAMED:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
            found.update(dict.fromkeys(_code(value, file)))
    yield from sorted(found, key=lambda named: named.name)


def _code(value: dict[str, Any], file: str) -> Iterator[PickleGlobal]:
    kind, module = _text(value, "class_name"), _text(value, "module")
    config = _fields(value.get("config"))
    if kind.rpartition(">")[2] == "Lambda" and any(_is_marshalled(config, key) for key in LAMBDAS):
        layer = f"marshalled Python code (Lambda layer {_text(config, 'name')[:200]!r})"
        yield PickleGlobal(file, layer, dangerous=True)
    name = _text(value, "config") if kind == "function" else kind
    if not name:
        return
    ours = module.partition(".")[0] in OURS or not module
    dangerous = name.rpartition(">")[2] in UNSAFE if ours else is_dangerous(module, name)
    if dangerous or not ours:
        yield PickleGlobal(file, ".".join(filter(None, (module, name)))[:500], dangerous=dangerous)


def _is_marshalled(config: Mapping[str, Any], key: str) -> bool:
    """Whether a part of a Lambda layer is byte code: a list that starts with it, or a dict."""
    value = config.get(key)
    if isinstance(value, list):
        return bool(value) and isinstance(value[0], str) and config.get(f"{key}_type") != "raw"
    return _text(value, "class_name") == "__lambda__"


def _fields(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object, key: str) -> str:
    found = _fields(value).get(key)
    return found if isinstance(found, str) else ""
