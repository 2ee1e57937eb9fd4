"""Which weight of a base an adapter changes, by the names that tools give to modules.

PEFT puts ``base_model.model.`` in front of the module's own name; what else stands in front
differs between a model with a head and one without. diffusers puts the component in front;
kohya-ss puts ``lora_unet_``, ``lora_te_``, ... and underscores for dots. So names are compared
with underscores for dots, and where two weights fit, none does.
"""

from collections.abc import Callable, Iterable, Iterator

from auditor.measuring.unit import Unit

PREFIX = "base_model.model."
IN_FRONT = 3  # dotted parts that one of the names may have more than the other
BETWEEN = ".processor."  # of diffusers' attention processors, which are no modules of the base
COMPONENTS = (  # what kohya-ss calls them, and the folders of diffusers; empty: no folders
    ("lora_unet_", ("unet_", "transformer_", "")),
    ("lora_te1_", ("text_encoder_", "")),
    ("lora_te2_", ("text_encoder_2_",)),
    ("lora_te_", ("text_encoder_", "")),
)


def find_targets(units: Iterable[Unit]) -> Callable[[str], Unit | None]:
    """Finds the weight of a module as an adapter names it; None where it is not certain."""
    known = {unit.name: unit for unit in units if unit.weight and len(unit.shape) >= 2}
    whole: dict[str, str] = {}
    ends: dict[str, str] = {}
    for name in known:
        first, *shorter = _without_front(name.removesuffix(".weight"))
        _note(whole, first, name)
        for end in shorter:
            _note(ends, end, name)

    def find(module: str) -> Unit | None:
        as_whole, as_end = _names(module)
        for names, keys in ((whole, as_whole), (ends, as_end)):
            found = next((names[key] for key in keys if key in names), None)
            if found is not None:
                return known.get(found)
        return None

    return find


def _note(names: dict[str, str], key: str, name: str) -> None:
    """Remember what a name stands for; nothing if it stands for two."""
    names[key] = name if names.get(key, name) == name else ""


def _without_front(module: str) -> Iterator[str]:
    """A name, and without one, two, three of the parts in front; underscores for dots."""
    parts = module.split(".")
    for start in range(min(IN_FRONT, len(parts) - 1) + 1):
        yield "_".join(parts[start:])


def _names(module: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the base may call a module, the likeliest first; and what its name there ends in."""
    for prefix, components in COMPONENTS:
        if module.startswith(prefix):
            rest = module.removeprefix(prefix).replace(".", "_")
            names = tuple(component + rest for component in components)
            return names, names
    names = tuple(_without_front(module.removeprefix(PREFIX).replace(BETWEEN, ".")))
    return names, names[:1]
