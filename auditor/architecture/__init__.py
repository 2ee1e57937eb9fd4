"""What a model is made of, as far as its configuration files say more than its tensors do.

A ``config.json`` is read as JSON: the number of attention heads, an adapter's scale. Where
that cannot be enough, because a tensor has three dimensions or more (grouped and transposed
convolutions have the shapes of plain ones, stacks of matrices those of kernels) or because
encoder and decoder would stand in the order of the alphabet, the model itself is made, without
values and in a process of its own (`building`).

A configuration decides how tensors are read and in which order they stand. It never makes a
tensor disappear, and nothing it says fails an audit.
"""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import PurePosixPath

from auditor.architecture.building import build
from auditor.architecture.configs import (
    Adapter,
    Config,
    adapter,
    heads,
    model_type,
    parse,
    quantisation,
)
from auditor.architecture.modules import plain_name
from auditor.errors import WeightsError
from auditor.records import Module, Skip
from auditor.spectral.fused import Heads
from auditor.spectral.kinds import is_embedding, is_head, is_stack
from auditor.weights import Inventory, Tensor

log = logging.getLogger(__name__)

MODEL, ADAPTER = "config.json", "adapter_config.json"
QUANTISED = ("quant_config.json", "quantize_config.json")  # where config.json does not say it
PREFIXES = 3  # dotted parts that a name in a file may have more or less than in the model
MOST_MODELS = 8  # of one version: text and image encoders, and what lies between them
NONE: Config = {}


@dataclass(frozen=True, slots=True)
class Architecture:
    """What the configuration files of a version say of its tensors."""

    modules: Mapping[str, Module] = field(default_factory=dict)  # by tensor, where known
    configs: Mapping[PurePosixPath, Config] = field(default_factory=dict)  # by their folder
    adapters: Mapping[PurePosixPath, Config] = field(default_factory=dict)
    quantised: Mapping[PurePosixPath, Config] = field(default_factory=dict)
    absent: tuple[Skip, ...] = ()  # that the model has and its files leave out: tied ones

    @property
    def positions(self) -> dict[str, int]:
        """Tensor -> place in the architecture's own order, where that is known."""
        places = ((name, module.position) for name, module in self.modules.items())
        return {name: place for name, place in places if place is not None}

    def with_configs(self, files: Mapping[str, bytes]) -> "Architecture":
        """The same modules, with what another version's files say of heads and adapters."""
        return replace(
            self,
            configs=_by_folder(files, MODEL),
            adapters=_by_folder(files, ADAPTER),
            quantised=_quantised(files),
        )

    def heads(self, tensor: Tensor) -> tuple[Heads, ...]:
        """The attentions of the model that a tensor belongs to."""
        return heads(_nearest(self.configs, tensor))

    def adapter(self, tensor: Tensor) -> Adapter:
        """What is said of the low-rank factors that a tensor is one of."""
        return adapter(_nearest(self.adapters, tensor))

    def quantisation(self, tensor: Tensor) -> Config:
        """What is said of how the model that a tensor belongs to was quantised."""
        return quantisation(_nearest(self.configs, tensor)) or _nearest(self.quantised, tensor)

    def may_be_tied(self, one: Tensor, other: Tensor) -> bool:
        """Whether a head may be the embedding again: equal values decide.

        Some formats store tied weights twice. A configuration that has the key left out
        has it by its model's default, which mostly is to tie.
        """
        config = _nearest(self.configs, one)
        is_told = bool(model_type(config)) and config.get("tie_word_embeddings") is not False
        is_alike = (one.shape, one.dtype) == (other.shape, other.dtype)
        return is_told and is_alike and is_head(one.name) and is_embedding(other.name)


def understand(
    inventory: Inventory, build: Callable[[str], Mapping[str, Module]] = build
) -> Architecture:
    """Read the configuration files of a version, and `build` its model where that matters."""
    modules = dict(inventory.modules)
    absent: list[Skip] = []
    models = _by_folder(inventory.configs, MODEL)
    for config in islice(models.values(), MOST_MODELS):
        tensors = [one for one in inventory.tensors if _nearest(models, one) is config]
        if model_type(config) and _matters(config, tensors):
            built = build(json.dumps(config, sort_keys=True))
            named = match(tensors, built)
            modules |= {tensor: built[name] for tensor, name in named.items()}
            absent += _absent(built, named)
    return Architecture(
        modules,
        models,
        _by_folder(inventory.configs, ADAPTER),
        _quantised(inventory.configs),
        tuple(absent),
    )


def match(tensors: Iterable[Tensor], modules: Mapping[str, Module]) -> dict[str, str]:
    """Name in a file -> name in the model, by their ends and shapes.

    A file may hold a part of what the configuration describes, or more: up to three dotted
    parts in front may differ. An end that two tensors of the model have names neither.
    """
    whole = {plain_name(name): name for name in modules}
    ends: dict[str, str] = {}
    for plain, name in whole.items():
        for end in _ends(plain):
            ends[end] = name if ends.get(end, name) == name else ""
    ends |= whole
    found = {}
    for tensor in tensors:
        name = plain_name(tensor.name.removeprefix(f"{tensor.file}:"))
        known = next((ends[end] for end in (name, *_ends(name)) if ends.get(end)), "")
        if known and modules[known].shape == tensor.shape:
            found[tensor.name] = known
    return found


def _ends(name: str) -> Iterator[str]:
    """A name without one, two, three of its parts; two are left at least."""
    parts = name.split(".", PREFIXES + 1)
    for start in range(1, min(PREFIXES, len(name.split(".")) - 2) + 1):
        yield ".".join(parts[start:])


def _absent(modules: Mapping[str, Module], named: Mapping[str, str]) -> Iterator[Skip]:
    """Tensors of the model that its files leave out, for they are others again."""
    tensors = {name: tensor for tensor, name in named.items()}
    for name, module in modules.items():
        if module.tied in tensors and name not in tensors:
            yield Skip(name, module.shape, f"tied to {tensors[module.tied]}")


def _matters(config: Config, tensors: Iterable[Tensor]) -> bool:
    """Whether the order of the layers, or how one of them is read, depends on the model."""
    return config.get("is_encoder_decoder") is True or any(map(_is_ambiguous, tensors))


def _is_ambiguous(tensor: Tensor) -> bool:
    """Whether it may be a grouped or transposed convolution, or a stack of matrices.

    Kernels of one channel are taken for depthwise, of three for the first of a vision model.
    """
    if len(tensor.shape) < 3 or tensor.shape[1] in (1, 3) or tensor.shape[0] == 1:
        return False
    return not is_embedding(tensor.name) and not is_stack(tensor.name, tensor.shape)


def _by_folder(files: Mapping[str, bytes], kind: str) -> dict[PurePosixPath, Config]:
    """Configurations of one kind, by the folder they lie in; what is none is noted."""
    found = {}
    for name, data in files.items():
        path = PurePosixPath(name)
        if path.name != kind:
            continue
        try:
            found[path.parent] = parse(data)
        except WeightsError as error:
            log.info("%r %s", name[:200], error, extra={"event": "config.unread"})
    return found


def _quantised(files: Mapping[str, bytes]) -> dict[PurePosixPath, Config]:
    """What files of their own say of quantisation, by the folder they lie in."""
    found: dict[PurePosixPath, Config] = {}
    for kind in QUANTISED:
        found |= _by_folder(files, kind)
    return found


def _nearest(configs: Mapping[PurePosixPath, Config], tensor: Tensor) -> Config:
    """The one in the tensor's own folder, else in the closest around it; else an empty one."""
    folders = PurePosixPath(tensor.file).parents
    return next((configs[folder] for folder in folders if folder in configs), NONE)
