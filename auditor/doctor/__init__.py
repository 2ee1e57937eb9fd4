"""What could keep this installation from doing its work, looked at one by one.

Nothing is changed, and nothing is left behind. To look at something else: a function that
yields `Symptom` in the file of its subject, called in `examine`.
"""

from collections.abc import Iterator
from contextlib import ExitStack

from auditor.config import Config, parts
from auditor.doctor.machine import machine
from auditor.doctor.remembering import ledger_symptoms, sink_symptoms
from auditor.doctor.serving import doors, people
from auditor.doctor.symptoms import Symptom, tried
from auditor.doctor.watching import source_symptoms
from auditor.errors import AuditorError
from auditor.policies import configured
from auditor.single import existing_ledger

__all__ = ["Symptom", "examine"]


def examine(config: Config) -> Iterator[Symptom]:
    """Look at everything; what is wrong does not keep the rest from being looked at."""
    yield tried("policy", lambda: configured(config).name)
    try:
        built = parts(config)
    except AuditorError as error:
        yield Symptom("configuration", str(error), fine=False)
        built = None
    sources, sinks = (built.sources, built.sinks) if built else ((), ())
    with ExitStack() as stack:
        ledger = None
        try:
            ledger = stack.enter_context(existing_ledger(config))
            yield from ledger_symptoms(ledger)
        except AuditorError as error:
            yield Symptom("ledger", str(error), fine=False)
            ledger = None
        for source in sources:
            yield from source_symptoms(source, ledger)
        yield from sink_symptoms(sinks, ledger)
    yield from doors(config, sources)
    yield from people(config)
    yield from machine(config)
