"""The way of a version through the house: noted, claimed, examined, saved, delivered.

Every step is a committed row or a renamed file, so a process that dies at any moment is
continued by the next one: what is claimed by nobody alive is claimed again, finished layers
are remembered, deliveries are rows of their own.
"""

from contextlib import closing

from auditor.ledger.lead import Lead
from auditor.pipeline.bell import Bell
from auditor.pipeline.crew import Crew, drain
from auditor.pipeline.delivering import Courier, deliver
from auditor.pipeline.parts import App, Outcome
from auditor.pipeline.rejudging import rejudge
from auditor.pipeline.sweeping import follow, look, sweep
from auditor.pipeline.visiting import visit

__all__ = [
    "App",
    "Bell",
    "Courier",
    "Crew",
    "Outcome",
    "deliver",
    "follow",
    "look",
    "once",
    "rejudge",
    "sweep",
    "visit",
]


def once(app: App, lead: Lead | None = None) -> Outcome:
    """Look at every source, judge again what a change touches, audit what waits, deliver.

    Two looks at one source at a time would take what the other has found for gone: where
    somebody else has the `lead`, that one is asked to look. With the lead, or where nobody can
    share the ledger, what a process that died was delivering goes out at once.

    Raises
    ------
    LedgerError
        If the ledger cannot be used now.
    """
    outcome = Outcome(left=lead is not None and not lead.take())
    try:
        if outcome.left:
            for source in app.sources:
                app.ledger.ask_look(source, app.clock())
        else:
            app.ledger.hand_over(app.clock())
            sweep(app, outcome)
            rejudge(app, outcome)
        deliver(app, outcome)
        with closing(drain(app)) as audited:
            for found in audited:
                outcome.add(found)
                deliver(app, outcome)
        app.tidy()
    finally:
        if lead is not None and not outcome.left:
            lead.drop()
    outcome.sort()
    return outcome
