"""A YAML file as plain values, with the line of each and the environment filled in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from auditor.errors import ConfigError
from auditor.plugins.place import KeyPath, Place

MOST_VALUES = 10_000  # aliases of aliases can say a billion things in a kilobyte
DEEPEST = 20

REFERENCE = re.compile(r"\$(\$\{)|\$\{([^}]*)(\}?)")
VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:(:-)(.*))?", re.DOTALL)
CONSTRUCTED = {f"tag:yaml.org,2002:{name}" for name in ("int", "float", "bool", "null")}
TEXT = {f"tag:yaml.org,2002:{name}" for name in ("str", "timestamp")}  # a date is a text to us


def read(path: Path, environ: Mapping[str, str]) -> tuple[Any, Place]:
    """Values of a file, and the place of each.

    ``${NAME}`` and ``${NAME:-default}`` in a text are replaced after parsing, so that no
    value of a variable can change the structure; ``$${`` is a literal ``${``.

    Parameters
    ----------
    path
        A YAML file of one document.
    environ
        The variables there are.

    Raises
    ------
    ConfigError
        If it cannot be read, is not YAML, sets a key twice, or names a variable that is
        not set; one line for each.
    """
    root = _parsed(path)
    if root is None:
        raise ConfigError(f"{path}: is empty: expected keys and values in YAML")
    reader = _Reader(path, environ)
    values = reader.value(root, ())
    if reader.wrong:
        raise ConfigError("\n".join(reader.wrong))
    return values, reader.place()


def _parsed(path: Path) -> Node | None:
    try:
        text = path.read_text(encoding="utf-8")
        node: Node | None = YAML(typ="safe", pure=True).compose(text)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not a text file in UTF-8") from error
    except MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{path}{line}: is not YAML: {error.problem}") from error
    except (YAMLError, RecursionError) as error:
        first = str(error).partition("\n")[0]
        raise ConfigError(f"{path}: is not YAML: {first}") from error
    return node


@dataclass(slots=True)
class _Reader:
    """Walks the nodes once and notes where everything stands."""

    file: Path
    environ: Mapping[str, str]
    lines: dict[KeyPath, int] = field(default_factory=dict)
    hidden: set[KeyPath] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def place(self, path: KeyPath = ()) -> Place:
        return Place(self.file, path, self.lines, frozenset(self.hidden))

    def value(self, node: Node, path: KeyPath) -> Any:  # noqa: ANN401 - any YAML value
        self.lines.setdefault(path, node.start_mark.line + 1)
        if len(self.lines) > MOST_VALUES or len(path) > DEEPEST:
            limits = f"more than {MOST_VALUES} values or {DEEPEST} levels"
            raise ConfigError(f"{self.file}: holds {limits}; aliases may repeat each other")
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, item in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode):
                self.wrong.append(f"{self.file}:{line}: found a list or mapping as a key")
                continue
            here = (*path, str(key.value))
            if key.value in values:
                again = f"is set again; it was set on line {self.lines[here]}"
                self.wrong.append(f"{self.file}:{line}: {_dotted(here)}: {again}")
                continue
            self.lines[here] = line
            values[str(key.value)] = self.value(item, here)
        return values

    def _scalar(self, node: Node, path: KeyPath) -> Any:  # noqa: ANN401 - any scalar
        if node.tag in TEXT:
            return self._filled(node.value, path)
        if node.tag not in CONSTRUCTED:
            self.wrong.append(self.place(path).problem(f"the tag {node.tag} is not understood"))
            return None
        try:
            return YAML(typ="safe", pure=True).constructor.construct_object(node)
        except (YAMLError, ValueError):
            self.wrong.append(self.place(path).problem(f"{node.value!r} is not {node.tag}"))
            return None

    def _filled(self, text: str, path: KeyPath) -> str:
        """Text with the environment's values in the place of their names."""
        parts, end = [], 0
        for found in REFERENCE.finditer(text):
            parts += [text[end : found.start()], self._variable(found, path)]
            end = found.end()
        if any(found[2] is not None for found in REFERENCE.finditer(text)):
            self.hidden.add(path)
        return "".join([*parts, text[end:]])

    def _variable(self, found: re.Match[str], path: KeyPath) -> str:
        if found[1]:
            return "${"
        name = VARIABLE.fullmatch(found[2]) if found[3] else None
        if name is None:
            example = "expected ${NAME} or ${NAME:-default}; write $${ for a plain ${"
            self.wrong.append(self.place(path).problem(f"found {found[0]!r}: {example}"))
            return ""
        if name[2]:  # as in a shell, `:-` also replaces an empty value
            return self.environ.get(name[1]) or name[3]
        if name[1] not in self.environ:
            missing = f"the environment variable {name[1]} is not set"
            remedy = f"set it, or write ${{{name[1]}:-default}}"
            self.wrong.append(self.place(path).problem(f"{missing}; {remedy}"))
        return self.environ.get(name[1], "")


def _dotted(path: KeyPath) -> str:
    return str(Place(path=path))
