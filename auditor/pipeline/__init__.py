"""The way of a version through the house: noted, claimed, examined, saved, delivered.

Every step is a committed row or a renamed file, so a process that dies at any moment is
continued by the next one: what is claimed by nobody alive is claimed again, finished layers
are remembered, deliveries are rows of their own.
"""

from auditor.pipeline.delivering import deliver
from auditor.pipeline.parts import App, Outcome
from auditor.pipeline.sweeping import follow, look, sweep
from auditor.pipeline.visiting import claim, visit

__all__ = ["App", "Outcome", "claim", "deliver", "follow", "look", "once", "sweep", "visit"]


def once(app: App) -> Outcome:
    """Look at every source, audit what is waiting, deliver what is due."""
    outcome = Outcome()
    sweep(app, outcome)
    while claimed := claim(app):
        visit(claimed, app, outcome)
        deliver(app, outcome)
        app.tidy()
    deliver(app, outcome)
    return outcome
