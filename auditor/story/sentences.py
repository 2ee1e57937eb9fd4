"""What became of the layers, in plain sentences, the most telling first."""

import math
from collections.abc import Iterable, Iterator, Sequence
from statistics import median

from auditor.records import Comparison
from auditor.render.text import count, fixed, number, percent
from auditor.story.amounts import Median, middle
from auditor.story.costs import Cost
from auditor.story.groups import Group
from auditor.story.moves import Move, Nature
from auditor.story.names import together

NAMED = 3  # names, or patterns of names, in a sentence
DECIBELS = 1


def sentences(
    moves: Sequence[Move], groups: Sequence[Group], costs: Sequence[Cost], comparison: Comparison
) -> Iterator[str]:
    """The story of a comparison, a sentence or two at a time."""
    yield from _how_much(moves)
    yield from _costs(costs)
    yield from _natures(moves)
    yield from _where(moves, groups)
    yield from _alphas(moves)
    yield from _others(comparison)


def _how_much(moves: Sequence[Move]) -> Iterator[str]:
    if not moves:
        yield "The two have no layer in common, by name and shape."
        return
    touched = [move for move in moves if move.is_changed]
    changed = [move for move in touched if move.nature is not Nature.ROUNDED]
    frozen = [move for move in moves if move.nature is Nature.FROZEN]
    unknown = len(moves) - len(touched) - len(frozen)
    if changed:
        beyond = "" if len(changed) == len(touched) else " beyond rounding"
        yield f"{_of(changed, moves)} changed{beyond}{_only(changed, moves)}."
    elif touched:
        yield f"Nothing changed beyond rounding, in {_of(touched, moves, first='all')}."
    elif not unknown:
        yield f"Nothing changed: {_all(len(moves))} the same in every value."
    if touched and frozen:
        names = f"{_named(frozen)}{_empty(frozen)}"
        yield f"{_are(len(frozen))} frozen, the same in every value: {names}."
    if unknown:
        yield f"Of {count(unknown, 'layer')} the weights of one side are not at hand."


def _only(changed: Sequence[Move], moves: Sequence[Move]) -> str:
    """What all of those that changed do, where others did not change."""
    parts = {move.part for move in changed}
    if len(parts) > 1 or len(changed) == len(moves):
        return ""
    return f", all in {_plain(*parts)}"


def _costs(costs: Sequence[Cost]) -> Iterator[str]:
    for cost in costs:
        layers = "1 layer is" if cost.layers == 1 else f"{cost.layers:,} layers are"
        stored = f"{layers} stored as {cost.after}, not {cost.before}"
        if cost.is_exact:
            yield f"{stored}, with the same values."
            continue
        worst = f"{_percent(cost.worst.relative)} in {cost.worst.name}"
        error = f"{_percent(cost.relative)} of a layer's size in the median"
        noise = f"{fixed(cost.decibels, DECIBELS)} dB"
        told = f"{stored}: an error of {error} ({noise}), at most {worst}."
        if cost.fitted and len(costs) > 1:  # of one all that is said of α says it
            told += f" α moved by more than its error in {cost.moved} of {cost.fitted}."
        yield told


def _natures(moves: Sequence[Move]) -> Iterator[str]:
    changed = [m for m in moves if m.is_changed and m.nature is not Nature.ROUNDED]
    for nature, told in (
        (Nature.LOW_RANK, _low_rank),
        (Nature.PRUNED, _pruned),
        (Nature.UNRELATED, _unrelated),
        (Nature.SCALED, _scaled),
    ):
        found = [move for move in changed if move.nature is nature]
        if found:
            yield told(found, all_of=len(found) == len(changed))


def _low_rank(moves: Sequence[Move], *, all_of: bool) -> str:
    ranks = [int(move.distances["delta_directions"]) for move in moves]
    low, high = min(ranks), max(ranks)
    text = str(low) if low == high else f"{low} to {high}"
    rank = f"The change has rank {text} {_in(moves, all_of=all_of)}"
    return f"{rank}: a merged low-rank adapter (LoRA) looks like this."


def _pruned(moves: Sequence[Move], *, all_of: bool) -> str:
    share = median(move.distances["delta_zeroed"] for move in moves)
    became = f"{_percent(share)} of the entries{_median(moves)} became zero"
    return f"{became} {_in(moves, all_of=all_of)}, and no other entry changed: pruning."


def _unrelated(moves: Sequence[Move], *, all_of: bool) -> str:
    far = fixed(median(move.relative for move in moves))
    layers = count(len(moves), "layer") if not all_of or len(moves) == 1 else "They"
    have = "has" if len(moves) == 1 else "have"
    near = "relative distance near 1.4, as of two trainings from different seeds"
    return f"{layers} {have} nothing left of the first: {far}{_median(moves)} ({near})."


def _scaled(moves: Sequence[Move], *, all_of: bool) -> str:
    factors = [10.0 ** (move.distances["d_log_norm"] / 2.0) for move in moves]
    factor = f"by {number(median(factors))}{_median(moves)}"
    return f"Every entry was multiplied {factor} {_in(moves, all_of=all_of)}, and nothing else."


def _where(moves: Sequence[Move], groups: Sequence[Group]) -> Iterator[str]:
    changed = [move for move in moves if move.is_changed and move.nature is not Nature.ROUNDED]
    moved = [group for group in groups if group.changed and group.share > 0.0]
    if not changed:
        return
    if len(moved) > 1:
        parts = [f"{percent(group.share, 1.0)} in {_plain(group.label)}" for group in moved[:NAMED]]
        yield f"Of all that changed (‖ΔW‖²) {', '.join(parts)}."
    first = max(changed, key=lambda move: move.relative)
    if len(changed) > 1 and math.isfinite(first.relative):
        usual = _percent(median(move.relative for move in changed))
        most = f"{first.name} changed most, by {_percent(first.relative)} of its size"
        yield f"{most}; {usual} is usual."


def _alphas(moves: Sequence[Move]) -> Iterator[str]:
    changed = [move for move in moves if move.is_changed]
    fitted = [move for move in changed if not math.isnan(move.distances["d_alpha"])]
    if not fitted:
        return
    moved = [move for move in fitted if move.is_alpha_moved]
    pairs = [(move.before.metrics["alpha"], move.after.metrics["alpha"]) for move in moves]
    both = [pair for pair in pairs if not any(map(math.isnan, pair))]
    one, two = (middle([pair[side] for pair in both]) for side in (0, 1))
    names = f" ({_named(moved)})" if moved else ""
    yield (
        f"α moved by more than its error in {len(moved)} of {count(len(fitted), 'changed layer')}"
        f"{names}; its median went from {_median_of(one)} to {_median_of(two)}."
    )


def _others(comparison: Comparison) -> Iterator[str]:
    for names, where in ((comparison.added, "second"), (comparison.removed, "first")):
        if names:
            layers = "1 layer is" if len(names) == 1 else f"{len(names):,} layers are"
            yield f"{layers} only in the {where}: {_shown(names)}."
    if comparison.renamed:
        one, two = comparison.renamed[0]
        rest = f", and {len(comparison.renamed) - 1:,} more" if len(comparison.renamed) > 1 else ""
        yield f"Called otherwise: {one} is {two}{rest}."
    if comparison.note:
        yield f"{comparison.note}."


def _of(some: Sequence[Move], moves: Sequence[Move], first: str = "All") -> str:
    layers = count(len(moves), "layer")
    if len(some) == len(moves) > 1:
        return f"{first} {layers}"
    return f"{len(some):,} of {layers}"


def _are(amount: int) -> str:
    return f"{amount:,} {'is' if amount == 1 else 'are'}"


def _empty(frozen: Sequence[Move]) -> str:
    zero = sum(move.after.measured.status == "zero" for move in frozen)
    return f"; {zero:,} of them all zero" if zero else ""


def _all(amount: int) -> str:
    return "the one layer is" if amount == 1 else f"all {amount:,} layers are"


def _in(moves: Sequence[Move], *, all_of: bool) -> str:
    """Where it happened."""
    if len(moves) == 1:
        return f"in {moves[0].name}"
    return f"in each of the {len(moves)}" if all_of else f"in {len(moves)} of them"


def _median(moves: Sequence[Move]) -> str:
    return " in the median" if len(moves) > 1 else ""


def _median_of(found: Median) -> str:
    low, high = fixed(found.low), fixed(found.high)
    sure = "" if math.isnan(found.low) else f" [{low}, {high}]"
    return f"{fixed(found.value)}{sure}"


def _named(moves: Iterable[Move]) -> str:
    return _shown([move.name for move in moves])


def _shown(names: Sequence[str]) -> str:
    """Names, those of one kind as one; the first few of them."""
    found = together(names)
    told = [f"{one.text} ({one.count})" if one.count > 1 else one.text for one in found[:NAMED]]
    rest = sum(one.count for one in found[NAMED:])
    return ", ".join(told) + (f", and {rest:,} more" if rest else "")


def _percent(share: float) -> str:
    """A share in percent, to two digits.

    Examples
    --------
    >>> _percent(0.0891), _percent(0.00042), _percent(1.0)
    ('8.9 %', '0.042 %', '100 %')
    """
    return f"{number(100.0 * share, 2 if share < 1.0 else 3)} %"


def _plain(label: str) -> str:
    return "attention (qkv)" if label == "qkv" else label
