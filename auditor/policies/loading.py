"""From the name of a policy to what it says, with all that it extends."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from auditor.config.text import read
from auditor.errors import ConfigError
from auditor.plugins.place import Place, unknown
from auditor.plugins.settings import from_folder
from auditor.policies.rules import MOST_RULES, rules
from auditor.policies.said import Choice, Said, Written, of_preset
from auditor.policies.thresholds import in_checks, level_at
from auditor.policies.waivers import waivers
from auditor.policy import PRESET_NAMES
from auditor.records import Level

KEYS = (
    *("extends", "baseline", "retroactive"),
    *("checks", "rules", "waivers", "waivers_file"),
)
IN_WAIVERS = ("waivers",)  # keys of a file of waivers
USUAL = "recommended"  # what a file extends that does not say
LONGEST_NAME = 4000  # of a path; a file system refuses to look for a longer one
LARGEST = 300_000  # bytes of a file; more than fit in 10,000 values, and soon read
DEEPEST = 8  # files that extend one another
MOST_FILES = 50  # of a policy


def said(name: str, today: date) -> Said:
    """What a policy says, by the name of a preset or the path of a file.

    Raises
    ------
    ConfigError
        If there is none, or it does not fit; one line a problem.
    """
    if name in PRESET_NAMES:
        return of_preset(name)
    path = Path(name)
    if not _is_file(path):
        there = unknown(name[:LONGEST_NAME], PRESET_NAMES, what="policy")
        raise ConfigError(f"policy {name[:80]}: {there}, and no file of that name either")
    loader = _Loader(path.absolute().parent, today)
    found = loader.file(path, ())
    if len(found.rules) > MOST_RULES:
        loader.wrong.append(
            f"{path}: holds {len(found.rules)} rules: expected {MOST_RULES} at most"
        )
    if loader.wrong:
        raise ConfigError("\n".join(dict.fromkeys(loader.wrong)))
    return found


@dataclass(slots=True)
class _Loader:
    """Reads a file and those it leads to, and notes everything that is wrong."""

    root: Path  # folder of the first file, from which all are named
    today: date
    wrong: list[str] = field(default_factory=list)
    files: int = 0

    def file(self, path: Path, through: Sequence[Path]) -> Said:
        """What a policy file says; `through` are those that extend it, the first one first."""
        values, place = self._read(path, KEYS)
        here, source = (*through, path), self._shown(path)
        base = self._extended(values.get("extends", USUAL), place.inside("extends"), here)
        checked, thresholds = in_checks(
            values.get("checks"), place.inside("checks"), source, self.wrong
        )
        own = rules(values.get("rules"), place.inside("rules"), source, self.wrong)
        return replace(
            base.then(
                Said(
                    name="",
                    rules=(*checked, *own),
                    thresholds=tuple(thresholds),
                    waivers=(
                        *self._waivers(values.get("waivers"), place.inside("waivers"), source),
                        *self._from_files(values.get("waivers_file"), place.inside("waivers_file")),
                    ),
                    baseline=self._baseline(values, place, source),
                    retroactive=self._retroactive(values, place, source),
                )
            ),
            name=path.stem,
        )

    def _read(self, path: Path, keys: Sequence[str]) -> tuple[Mapping[str, Any], Place]:
        """Values and places of a file; none, with the problem noted, where it is not one."""
        self.files += 1
        if path.stat().st_size > LARGEST:
            self.wrong.append(f"{path}: has more than {LARGEST:,} bytes: expected a short text")
            return {}, Place(path)
        try:
            values, place = read(path, os.environ)
        except ConfigError as error:
            self.wrong += str(error).splitlines()
            return {}, Place(path)
        if not isinstance(values, dict):
            self.wrong.append(place.problem(f"expected the keys {', '.join(keys)}"))
            return {}, place
        self.wrong += [place.inside(k).problem(unknown(k, keys)) for k in values if k not in keys]
        return values, place

    def _extended(self, given: object, place: Place, through: Sequence[Path]) -> Said:
        """What the policies say that a file extends, the later ones over the earlier."""
        base = Said(name="")
        if not isinstance(given, list):
            return base.then(self._one(given, place, through))
        for i, one in enumerate(given):
            base = base.then(self._one(one, place.inside(i), through))
        return base

    def _one(self, given: object, place: Place, through: Sequence[Path]) -> Said:
        if isinstance(given, str) and given in PRESET_NAMES:
            return of_preset(given)
        path = self._path(given, place, "the name of a preset, or the path of a file")
        if path is None:
            return Said(name="")
        if problem := self._too_far(path, through):
            self.wrong.append(place.problem(problem))
            return Said(name="")
        return self.file(path, through)

    def _too_far(self, path: Path, through: Sequence[Path]) -> str | None:
        """Why a file cannot be one more of those that extend one another."""
        known = [one.resolve() for one in through]
        if path.resolve() in known:
            circle = [*through[known.index(path.resolve()) :], path]
            return f"comes back to where it began: {' → '.join(map(self._shown, circle))}"
        if len(through) >= DEEPEST:
            return f"is the end of a chain of more than {DEEPEST} files: expected a shorter one"
        if self.files >= MOST_FILES:
            return f"leads to more than {MOST_FILES} files: expected fewer"
        return None

    def _path(self, given: object, place: Place, expected: str) -> Path | None:
        """A file that is there; None, with the problem noted, where none is."""
        if not isinstance(given, str):
            self.wrong.append(place.problem(f"found {place.shown(given)}: expected {expected}"))
            return None
        try:
            path = from_folder(given, place.folder)
        except ValueError as error:
            self.wrong.append(place.problem(str(error)))
            return None
        if _is_file(path):
            return path
        near = get_close_matches(given, PRESET_NAMES, n=1) if "preset" in expected else []
        guess = f"; did you mean {near[0]}?" if near else ""
        self.wrong.append(
            place.problem(f"no file {place.shown(given)}: expected {expected}{guess}")
        )
        return None

    def _waivers(self, given: object, place: Place, source: str) -> Iterator[Written]:
        return waivers(given, place, source, self.today, self.wrong)

    def _from_files(self, given: object, place: Place) -> Iterator[Written]:
        """The waivers of other files."""
        if given is None:
            return
        several = isinstance(given, list)
        for i, one in enumerate(given if isinstance(given, list) else [given]):
            here = place.inside(i) if several else place
            path = self._path(one, here, "the path of a file of waivers")
            if path is None:
                continue
            if self.files >= MOST_FILES:
                self.wrong.append(here.problem(f"is one of more than {MOST_FILES} files"))
                return
            values, inside = self._read(path, IN_WAIVERS)
            found = values.get("waivers")
            yield from self._waivers(found, inside.inside("waivers"), self._shown(path))

    def _baseline(
        self, values: Mapping[str, Any], place: Place, source: str
    ) -> Choice[Level] | None:
        if "baseline" not in values:
            return None
        here = place.inside("baseline")
        found = level_at(values["baseline"], here, self.wrong)
        return Choice(found, f"{source}, line {here.line}") if found is not None else None

    def _retroactive(
        self, values: Mapping[str, Any], place: Place, source: str
    ) -> Choice[bool] | None:
        if "retroactive" not in values:
            return None
        here, found = place.inside("retroactive"), values["retroactive"]
        if not isinstance(found, bool):
            self.wrong.append(here.problem(f"found {here.shown(found)}: expected true or false"))
            return None
        return Choice(found, f"{source}, line {here.line}")

    def _shown(self, path: Path) -> str:
        """A file as people see it: from the folder of the first one."""
        return Path(os.path.relpath(path, self.root)).as_posix()


def _is_file(path: Path) -> bool:
    """Whether there is a plain file; a pipe may never end, and a name may be impossible."""
    try:
        return len(str(path)) <= LONGEST_NAME and path.is_file()
    except (OSError, ValueError):
        return False
