"""What is told of models that were looked at whole: seen, gone, renamed."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain

from auditor.mlflow_client.forms import age
from auditor.mlflow_client.registry import Looked, Place
from auditor.records import Change, Gone, Known, ModelVersion, Renamed, Seen


def told(place: Place, looked: Looked, known: Known, names: Collection[str]) -> Iterator[Change]:
    """Hold what is there against what was noted: renamed first, then gone, then seen.

    Parameters
    ----------
    looked
        Models, each with all versions that are there now.
    known
        What was noted before.
    names
        The models in `known`.

    Raises
    ------
    SourceError
        If `place` cannot be asked whether an old name is still in use.
    """
    before = {model: known.versions(model) for model in looked if model in names}
    noted = {version.identity for version in chain.from_iterable(before.values())}
    there = list(chain.from_iterable(looked.values()))
    new = [version for version in there if version.identity not in noted] if names else []
    renamed = _renamed(place, new, looked, known)
    yield from renamed.values()
    present = {version.identity for version in there}
    for version in chain.from_iterable(before.values()):
        if version.identity not in present and version.identity not in renamed:
            yield Gone(version, _reason(version, looked))
    yield from (Seen(version) for version in sorted(there, key=age))


def _renamed(
    place: Place, new: Sequence[ModelVersion], looked: Looked, known: Known
) -> Mapping[str, Renamed]:
    """New versions that were noted under a name that is theirs no more, by their old identity."""
    pairs = [
        (twin, version)
        for version in new
        for twin in known.twins(version)
        if place.can_tell(twin.id.model)
    ]
    unseen = {twin.id.model for twin, _ in pairs if place.has(twin.id.model)} - looked.keys()
    others = {**looked, **(place.named(unseen) if unseen else {})}
    return {
        twin.identity: Renamed(twin, version)
        for twin, version in pairs
        if twin.identity not in {one.identity for one in others.get(twin.id.model, ())}
    }


def _reason(version: ModelVersion, looked: Looked) -> str:
    """Why a version is gone, as far as what is there tells."""
    numbers = {one.id.version for one in looked[version.id.model]}
    again = ", and its name was used again since" if version.id.version in numbers else ""
    return f"{version.uri} was deleted from the registry{again}"
