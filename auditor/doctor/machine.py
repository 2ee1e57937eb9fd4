"""The machine: disks, memory, processors, and the libraries that numbers depend on."""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import psutil
from threadpoolctl import threadpool_info

from auditor import __version__
from auditor.amounts import as_size
from auditor.config import Config
from auditor.doctor.symptoms import Symptom, tried
from auditor.errors import AuditorError
from auditor.executors.gpu import describe
from auditor.executors.machine import audits_at_once, cores
from auditor.status.disks import disks

PACKAGES = ("numpy", "scipy", "torch", "transformers", "mlflow", "huggingface_hub", "sqlalchemy")


def machine(config: Config) -> Iterator[Symptom]:
    """Everything that other programs and other models on this machine may take from us."""
    try:
        for disk in disks(config):
            yield Symptom("disk", disk.sentence, fine=not disk.is_short)
    except AuditorError as error:
        yield Symptom("disk", str(error), fine=False)
    yield _memory(config)
    yield _processors(config)
    yield tried("eigenvalues", lambda: f"computed on {describe(config.limits.device)}")
    yield Symptom("packages", ", ".join((f"auditor {__version__}", *_packages())))


def _memory(config: Config) -> Symptom:
    memory, wanted = psutil.virtual_memory(), config.limits.memory
    found = (
        f"{as_size(memory.total)}, {as_size(memory.available)} of it free; layers may use "
        f"{as_size(wanted)} (limits.memory)"
    )
    if memory.total >= wanted:
        return Symptom("memory", found)
    return Symptom("memory", f"{found}, which is more than there is: set it lower", fine=False)


def _processors(config: Config) -> Symptom:
    libraries = sorted({_library(found) for found in threadpool_info()})
    said = config.limits.audits
    at_once = f"{audits_at_once()} (auto)" if said == "auto" else f"{said} (limits.audits)"
    named = ", ".join(libraries) or "none found"
    return Symptom("processors", f"{cores()} cores, audits at once {at_once}; {named}")


def _library(found: dict[str, object]) -> str:
    """``openblas 0.3.30, 2 threads``."""
    release = f" {found['version']}" if found.get("version") else ""
    return f"{found['internal_api']}{release} with {found['num_threads']} threads"


def _packages() -> Iterator[str]:
    for name in PACKAGES:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            yield f"{name} is not installed"
