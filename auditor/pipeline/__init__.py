"""The way of a version through the house: noted, claimed, examined, saved, delivered.

Every step is a committed row or a renamed file, so a process that dies at any moment is
continued by the next one: what is claimed by nobody alive is claimed again, finished layers
are remembered, deliveries are rows of their own.
"""

from contextlib import closing

from auditor.pipeline.bell import Bell
from auditor.pipeline.crew import Crew, drain
from auditor.pipeline.delivering import deliver, deliver_next
from auditor.pipeline.parts import App, Outcome
from auditor.pipeline.sweeping import follow, look, sweep
from auditor.pipeline.visiting import visit

__all__ = [
    "App",
    "Bell",
    "Crew",
    "Outcome",
    "deliver",
    "deliver_next",
    "follow",
    "look",
    "once",
    "sweep",
    "visit",
]


def once(app: App) -> Outcome:
    """Look at every source, audit what is waiting, deliver what is due."""
    outcome = Outcome()
    sweep(app, outcome)
    deliver(app, outcome)
    with closing(drain(app)) as audited:
        for found in audited:
            outcome.add(found)
            deliver(app, outcome)
    app.tidy()
    outcome.sort()
    return outcome
