"""Everything that is done to networks: what is well done, what is not, and what it was before."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.evidence import faults
from benchmarks.evidence.networks import FAMILIES, Family
from benchmarks.evidence.training import Recipe, Stack, Start, Weights, fresh, one_of, stacked
from benchmarks.evidence.workshop import Workshop, neighbour

ALL = tuple(FAMILIES)
QUICK = ("mlp", "conv", "deep")  # the other takes most of the time
SHADES = ("labels shuffled, 25%", "labels shuffled, 75%")
WELL_TRAINED = "well trained"
AGAIN = "registered again"
SGD = {"optimizer": "sgd", "learning_rate": 0.05, "weight_decay": 5e-4}
BASE: Mapping[str, Recipe] = {
    "mlp": Recipe(epochs=20),
    "conv": Recipe(epochs=12),
    "deep": Recipe(epochs=12),
    "sorter": Recipe(epochs=6, weight_decay=1.0),
}
TUNING_RATE, TUNING_EPOCHS = 0.5, 0.6  # of those of training

Make = Callable[[Workshop, Family], Stack | Sequence[Weights]]


@dataclass(frozen=True, slots=True)
class Cause:
    """What was done to networks, and what each is compared with."""

    name: str
    group: str  # `WELL_TRAINED`, "training", "after training", "damage"
    make: Make
    before: Make
    families: tuple[str, ...] = ALL
    tuned: bool = False  # it is asked about the task it was tuned to
    anew: bool = False  # trained from the beginning; what it is compared with is another run

    def networks(self, shop: Workshop, family: Family) -> list[Weights]:
        """One a seed."""
        return _listed(self.make(shop, family), shop)

    def baselines(self, shop: Workshop, family: Family) -> list[Weights]:
        """What each is compared with."""
        return _listed(self.before(shop, family), shop)


def _listed(made: Stack | Sequence[Weights], shop: Workshop) -> list[Weights]:
    if isinstance(made, Mapping):
        return [one_of(made, place) for place in range(len(shop.seeds))]
    return list(made)


def by(**changes: object) -> Make:
    """Training by the family's own recipe, with changes."""

    def make(shop: Workshop, family: Family) -> Stack:
        recipe = replace(BASE[family.name], **changes)  # type: ignore[arg-type]
        return shop.trained(family, recipe, start=None)

    return make


def after(change: Callable[[Weights, int], Weights], parent: Make | None = None) -> Make:
    """Something done to each finished network; its seed comes with it."""

    def make(shop: Workshop, family: Family) -> Sequence[Weights]:
        parents = _listed((parent or WELL)(shop, family), shop)
        return [change(one, seed) for one, seed in zip(parents, shop.seeds, strict=True)]

    return make


def hurt(damage: faults.Damage) -> Make:
    """Damage to the family's target layer."""

    def make(shop: Workshop, family: Family) -> Sequence[Weights]:
        parents = zip(_listed(WELL(shop, family), shop), shop.seeds, strict=True)
        return [faults.damaged(one, family.target, damage, seed) for one, seed in parents]

    return make


def tuned(*, some: bool, seed: int = 0) -> Make:
    """Fine-tuning to a related task, of all layers or of the later ones."""

    def make(shop: Workshop, family: Family) -> Stack:
        frozen = family.frozen if some else ()
        start = Start(_stack(WELL, shop, family), frozen, tuned_to=family.tuned_to)
        name = f"tuned {'some' if some else 'all'} {seed}"
        recipe = _tuning(family)
        return shop.trained(
            family, replace(recipe, batch=recipe.batch - seed), by=name, start=start
        )

    return make


def _tuning(family: Family) -> Recipe:
    base = BASE[family.name]
    epochs = max(2, round(TUNING_EPOCHS * base.epochs))
    return replace(base, learning_rate=TUNING_RATE * base.learning_rate, epochs=epochs)


def _pruned_and_tuned(share: float) -> Make:
    def make(shop: Workshop, family: Family) -> Stack:
        parents = _listed(WELL(shop, family), shop)
        start = Start(stacked([faults.pruned(one, share) for one in parents]), keep_zeros=True)
        return shop.trained(family, _tuning(family), by=f"pruned {share}", start=start)

    return make


def _distilled(shop: Workshop, family: Family) -> Stack:
    """A student of its own initial weights, told what the teacher of another seed says."""
    teachers = _another(shop, family)
    start = Start(stacked(teachers), is_teacher=True)
    return shop.trained(family, BASE[family.name], by="distilled", start=start)


def _untrained(shop: Workshop, family: Family) -> Stack:
    return fresh(family, shop.seeds)


def _another(shop: Workshop, family: Family) -> list[Weights]:
    """The well-trained network of another seed."""
    return another_of(WELL)(shop, family)


def another_of(make: Make) -> Callable[[Workshop, Family], list[Weights]]:
    """The same, of the next seed."""

    def made(shop: Workshop, family: Family) -> list[Weights]:
        networks = _listed(make(shop, family), shop)
        return [networks[neighbour(shop.seeds, place)] for place in range(len(networks))]

    return made


def _merged_seeds(shop: Workshop, family: Family) -> Sequence[Weights]:
    pairs = zip(_listed(WELL(shop, family), shop), _another(shop, family), strict=True)
    return [faults.merged(one, other) for one, other in pairs]


def _merged_tunings(shop: Workshop, family: Family) -> Sequence[Weights]:
    ones = _listed(tuned(some=False)(shop, family), shop)
    others = _listed(tuned(some=False, seed=1)(shop, family), shop)
    return [faults.merged(one, other) for one, other in zip(ones, others, strict=True)]


def _copied(shop: Workshop, family: Family) -> Sequence[Weights]:
    parents = _listed(WELL(shop, family), shop)
    return [faults.copied(one, family.target, family.like) for one in parents]


def _headless(shop: Workshop, family: Family) -> Sequence[Weights]:
    head = {"mlp": "fc4.", "conv": "fc2.", "deep": "head.", "sorter": "head."}[family.name]
    return [faults.without(one, head) for one in _listed(WELL(shop, family), shop)]


def _stack(make: Make, shop: Workshop, family: Family) -> Stack:
    return stacked(_listed(make(shop, family), shop))


WELL = by()


def _well() -> Iterator[Cause]:
    recipes = {
        "well trained, Adam": (by(), ALL),
        "well trained, SGD and weight decay": (by(**SGD), QUICK),
        "well trained, dropout": (by(dropped=0.2, weight_decay=0.01), ("mlp", "deep")),
    }
    for name, (make, families) in recipes.items():
        yield Cause(name, WELL_TRAINED, make, another_of(make), families, anew=True)
    yield Cause(AGAIN, WELL_TRAINED, WELL, WELL)
    yield Cause("fine-tuned", WELL_TRAINED, tuned(some=False), WELL, tuned=True)
    yield Cause("fine-tuned, first layers frozen", WELL_TRAINED, tuned(some=True), WELL, tuned=True)
    yield Cause("distilled", WELL_TRAINED, _distilled, _another, anew=True)


def _training() -> Iterator[Cause]:
    made = {
        "untrained": _untrained,
        "stopped after an epoch": by(epochs=1),
        "stopped after two": by(epochs=2),
        **{f"labels shuffled, {share:.0%}": by(shuffled=share) for share in (0.25, 0.5, 0.75, 1.0)},
        "learning rate × 30": by(learning_rate=30 * Recipe().learning_rate),
        "huge weight decay": by(weight_decay=10.0),
    }
    for name, make in made.items():
        families = QUICK if name in SHADES else ALL
        yield Cause(name, "training", make, _another, families, anew=True)


def _after_training() -> Iterator[Cause]:
    for share in (0.5, 0.8, 0.9, 0.95):
        prune = after(lambda one, _, share=share: faults.pruned(one, share))  # type: ignore[misc]
        yield Cause(f"pruned by {share:.0%}", "after training", prune, WELL)
    for share in (0.8, 0.95):
        name = f"pruned by {share:.0%}, fine-tuned"
        yield Cause(name, "after training", _pruned_and_tuned(share), WELL, QUICK)
    for bits in (8, 4):
        quantise = after(lambda one, _, bits=bits: faults.rounded(one, bits))  # type: ignore[misc]
        yield Cause(f"rounded to int{bits}", "after training", quantise, WELL)
    half = after(lambda one, _: faults.halved(one))
    yield Cause("stored as float16", "after training", half, WELL)
    yield Cause("mean of two fine-tunings", "after training", _merged_tunings, WELL, tuned=True)
    yield Cause("mean of two seeds", "after training", _merged_seeds, WELL)


def _damage() -> Iterator[Cause]:
    made = {
        "layer as initialised": faults.initial,
        "layer all zero": faults.zero,
        "layer constant": faults.constant,
        "layer × 0.1": faults.scaled(0.1),
        "layer × 10": faults.scaled(10.0),
        "channels shrunk, 80%": faults.shrunk_channels,
        "layer of 5% rank": faults.of_low_rank,
        "three huge entries": faults.huge_entries,
        "rows dead, 20%": faults.dead_rows,
        "one value is NaN": faults.not_a_number,
    }
    for name, damage in made.items():
        yield Cause(name, "damage", hurt(damage), WELL)
    yield Cause("layer copied from another block", "damage", _copied, WELL, ("deep", "sorter"))
    yield Cause("head left out", "damage", _headless, WELL)


CAUSES: Mapping[str, Cause] = {
    cause.name: cause
    for part in (_well(), _training(), _after_training(), _damage())
    for cause in part
}
