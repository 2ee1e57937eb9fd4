"""A story as Markdown, for a pull request or a ticket; every name is taken literally."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from auditor.render.markdown import escaped
from auditor.render.text import change, count, exact, fixed, number, percent
from auditor.story import Cost, Move, Story
from auditor.story.lineup import Standing

MOST = 20  # layers in a table


def of_pair(before: str, after: str, story: Story) -> str:
    """A comparison of two: sentences, then the layers that changed, furthest first."""
    return _joined((f"## {escaped(before)} → {escaped(after)}", "", *_story(story)))


def of_lineup(versions: Sequence[Standing], stories: Sequence[Story]) -> str:
    """Several side by side: a row each, then what became of every one."""
    heads = ("", "Version", "Layers", "Median α", "Changed", "Frozen", "Relative")
    table = _table(heads, (_standing(row) for row in versions))
    parts = (
        (f"## {row.against} → {row.label}: {escaped(row.name)}", "", *_story(story), "")
        for row, story in zip(versions[1:], stories, strict=True)
    )
    return _joined((*table, "", *chain.from_iterable(parts)))


def _story(story: Story) -> Iterator[str]:
    yield from (f"- {escaped(sentence)}" for sentence in story.sentences)
    if story.costs:
        heads = ("Stored as", "Before", "Bits", "Layers", "Error", "SNR in dB", "Most, in")
        yield from ("", *_table(heads, map(_cost, story.costs)))
    moves = story.furthest
    if moves:
        heads = ("Layer", "Part", "Shape", "Relative", "Directions", "Δα", "Share of change")
        yield from ("", *_table(heads, map(_move, moves[:MOST])))
    if len(moves) > MOST:
        yield f"\nand {count(len(moves) - MOST, 'more layer')}."


def _standing(row: Standing) -> tuple[str, ...]:
    alpha = row.medians["alpha"]
    known = bool(row.against)
    return (
        row.label,
        escaped(row.name),
        f"{row.layers:,}",
        f"{fixed(alpha.value)} [{fixed(alpha.low)}, {fixed(alpha.high)}]",
        f"{row.changed:,}" if known else number(None),
        f"{row.frozen:,}" if known else number(None),
        number(row.relative),
    )


def _cost(cost: Cost) -> tuple[str, ...]:
    worst = cost.worst
    return (
        escaped(cost.after),
        escaped(cost.before),
        f"{cost.bits:g}",
        f"{cost.layers:,}",
        number(cost.relative),
        fixed(cost.decibels, 1),
        f"{number(worst.relative)}, {escaped(worst.name)}",
    )


def _move(move: Move) -> tuple[str, ...]:
    distances = move.distances
    error = distances["d_alpha_error"]
    shift = f"{change(distances['d_alpha'])} ± {fixed(error)}"
    return (
        escaped(move.name),
        escaped(move.part),
        "×".join(map(str, move.after.shape)),
        number(move.relative),
        exact(distances.get("delta_directions")),
        f"**{shift}**" if move.is_alpha_moved else shift,
        percent(move.share, 1.0),
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _row(heads)
    yield _row(["---"] * len(heads))
    yield from map(_row, rows)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _joined(lines: Iterable[str]) -> str:
    return "\n".join(lines).rstrip() + "\n"
