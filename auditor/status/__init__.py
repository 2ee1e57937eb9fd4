"""How the watching goes: what is wrong, what waits, what is known, and how long it takes.

`status` reads it from the ledger, so that it is the same whether a service runs, a crontab
runs ``auditor once``, or nothing runs at all.
"""

from auditor.status.looking import Watched, watched
from auditor.status.reminding import reminders
from auditor.status.standing import Alarm, Latency, Queue, Status, as_json, status

__all__ = [
    "Alarm",
    "Latency",
    "Queue",
    "Status",
    "Watched",
    "as_json",
    "reminders",
    "status",
    "watched",
]
