"""A model in several files: what names and index promise, held against what is there."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import PurePosixPath

from auditor.errors import SourceError, WeightsError, translate
from auditor.records import FileFailure, SourceFile
from auditor.weights.formats import Contents
from auditor.weights.names import leads_out
from auditor.weights.safetensors import HEADER_LIMIT, parse_json

SHARD = re.compile(r"^(?P<stem>.*)-(?P<number>[0-9]{5})-of-(?P<count>[0-9]{5})(?P<end>\.\w+)$")
AT_MOST = 20  # failures one model is listed with; a hostile index can promise millions


def missing_shards(names: Sequence[str]) -> list[FileFailure]:
    """Shards that the names of the others promise: 1 and 3 of 3 promise 2.

    At most `AT_MOST` of them are listed.
    """
    families = defaultdict(set)
    for name in names:
        if found := SHARD.match(name):
            families[found["stem"], found["count"], found["end"]].add(int(found["number"]))
    absent = [
        f"{stem}-{number:05}-of-{count}{end}"
        for (stem, count, end), present in sorted(families.items())
        for number in range(1, int(count) + 1)
        if number not in present
    ]
    reason = "is missing, though the names of the other shards count it in; fetch all of them"
    return [FileFailure(name, reason) for name in absent[:AT_MOST]]


def disagreements(
    index: SourceFile, files: Mapping[str, Contents], unopened: Collection[str] = ()
) -> list[FileFailure]:
    """Where an index and the weight files disagree, at most `AT_MOST` sentences.

    Parameters
    ----------
    index
        A ``*.safetensors.index.json`` or ``*.bin.index.json``.
    files
        What was read, by file name; a file that could not be parsed is not held against it.
    unopened
        Names of files that are there and hold what others hold.
    """
    try:
        places = _weight_map(index)
    except WeightsError as error:
        return [FileFailure(index.name, str(error))]
    folder = PurePosixPath(index.name).parent
    there = {shard: names for shard, names in places.items() if str(folder / shard) not in unopened}
    found = islice(_problems(there, folder, files), AT_MOST)
    return [FileFailure(index.name, problem) for problem in found]


def _problems(
    places: Mapping[str, Sequence[str]], folder: PurePosixPath, files: Mapping[str, Contents]
) -> Iterator[str]:
    for shard, names in sorted(places.items()):
        contents = files.get(str(folder / shard))
        if leads_out(shard):
            yield f"names the shard {shard[:200]!r}; expected a file beside it or in a folder below"
        elif contents is None:
            yield f"names the shard {shard[:200]!r}, which is not there; fetch it too"
        elif not contents.failure:
            present = {tensor.name for tensor in contents.tensors}
            present.update(skip.name for skip in contents.skipped)
            yield from _absent([name for name in names if name not in present], shard)


def _absent(names: Sequence[str], shard: str) -> Iterator[str]:
    if names:
        first = f"{len(names)} tensors, the first {names[0][:200]!r}"
        yield f"expects in {shard[:200]!r} what is not in it: {first}"


def _weight_map(index: SourceFile) -> dict[str, list[str]]:
    """Shard -> the names of its tensors, as the index states it."""
    if index.size > HEADER_LIMIT:
        raise WeightsError(f"is {index.size} bytes long, an index has at most {HEADER_LIMIT}")
    with translate(OSError, to=SourceError, doing=f"reading {index.name!r}"), index.open() as file:
        stated = parse_json(file.read(index.size), "text")
    places = stated.get("weight_map") if isinstance(stated, dict) else None
    if not isinstance(places, dict) or not all(isinstance(v, str) for v in places.values()):
        raise WeightsError("has no weight_map from tensor names to file names")
    shards = defaultdict(list)
    for name, shard in places.items():
        shards[shard].append(name)
    return dict(shards)
