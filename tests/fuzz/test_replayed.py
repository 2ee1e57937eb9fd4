"""Every seed and every input that ever broke a reader, and mutations of them."""

import random
from pathlib import Path

import pytest

from tests.fuzz.feeding import KINDS, SEEDS, feed

INPUTS = sorted(path for path in SEEDS.rglob("*") if path.is_file())
MUTATIONS = 25  # of every input


def mutated(data: bytes, draw: random.Random) -> bytes:
    """What a damaged disk or a careless attacker makes of a file."""
    changed = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(changed) + 1)
        size = draw.choice((1, 1, 1, 2, 4, 8))
        new = draw.choice((draw.randbytes(size), b"\0" * size, b"\xff" * size, b""))
        changed[at : at + draw.choice((size, size, 0))] = new
    return bytes(changed[: draw.choice((len(changed), len(changed), draw.randint(1, 4096)))])


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: "/".join(path.parts[-2:]))
def test_what_was_fed_once_is_read_or_refused(path: Path) -> None:
    data = path.read_bytes()
    assert len(data) <= 4096
    feed(path.parent.name, data)


@pytest.mark.parametrize("kind", sorted({path.parent.name for path in INPUTS}))
def test_mutations_are_read_or_refused(kind):
    draw = random.Random(kind)  # noqa: S311 - which mutations, no secret
    for path in (path for path in INPUTS if path.parent.name == kind):
        for _ in range(MUTATIONS):
            feed(kind, mutated(path.read_bytes(), draw))


@pytest.mark.parametrize("kind", sorted({path.parent.name for path in INPUTS} & KINDS.keys()))
def test_a_seed_that_is_a_whole_file_is_read(kind):
    """Else mutations would not get past the first check."""
    seeds = [path for path in INPUTS if path.parent.name == kind]
    assert any(feed(kind, path.read_bytes()) is not None for path in seeds)
