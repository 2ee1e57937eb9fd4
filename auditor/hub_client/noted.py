"""What is known of the repositories, with what was found out since the ledger was asked."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from auditor.records import Gone, Known, ModelVersion, Renamed

NUMBER, FORMER = "repository", "renamed_from"  # facts of a version: the Hub's number; an old name


@dataclass(slots=True)
class Noted:
    """The versions that are known, by the names that their repositories have now."""

    known: Known
    _changed: dict[str, list[ModelVersion]] = field(default_factory=dict)
    _names: Mapping[str, Mapping[str, set[str]]] | None = None

    def versions(self, repo: str) -> Sequence[ModelVersion]:
        """Those of a repository that are not gone, oldest first."""
        return self._changed[repo] if repo in self._changed else self.known.versions(repo)

    def gone(self, versions: Sequence[ModelVersion], reason: str) -> Iterator[Gone]:
        """These are gone."""
        for version in versions:
            there = self.versions(version.id.model)
            self._changed[version.id.model] = [one for one in there if one != version]
            yield Gone(version, reason)

    def renamed(self, before: str, after: str) -> Iterator[Renamed | Gone]:
        """A repository has another name."""
        here = list(self.versions(after))
        commits = {version.id.version for version in here}
        for version in self.versions(before):
            if version.id.version in commits:
                yield Gone(version, f"{before} is called {after} now, and is known by that name")
                continue
            moved = _moved(version, before, after)
            here.append(moved)
            yield Renamed(version, moved)
        self._changed[before] = []
        self._changed[after] = sorted(here, key=lambda version: version.created_at)

    def numbered(self, number: str) -> set[str]:
        """Names under which versions of a repository are known."""
        return self._index()[NUMBER].get(number, set())

    def current(self, repo: str) -> str:
        """The name that a repository has now which somebody calls by this one."""
        if self.versions(repo):
            return repo
        return next(iter(self._index()[FORMER].get(repo, ())), repo)

    def _index(self) -> Mapping[str, Mapping[str, set[str]]]:
        """Names by number and by former name; asks for every model that is known, once."""
        if self._names is None:
            found: Mapping[str, dict[str, set[str]]] = {
                fact: defaultdict(set) for fact in (NUMBER, FORMER)
            }
            for model in self.known.models():
                for version in self.versions(model):
                    for fact, names in found.items():
                        if value := version.facts.get(fact):
                            names[value].add(model)
            self._names = found
        return self._names


def _moved(version: ModelVersion, before: str, after: str) -> ModelVersion:
    uri = version.uri.replace(f"hf://{before}@", f"hf://{after}@", 1)
    return replace(
        version,
        id=replace(version.id, model=after),
        uri=uri,
        location=uri,
        facts={**version.facts, FORMER: before},
    )
