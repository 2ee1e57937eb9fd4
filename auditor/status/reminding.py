"""What somebody should look at before it turns into trouble: waivers."""

from datetime import date

from auditor.config import Config
from auditor.errors import ConfigError
from auditor.ledger import Ledger
from auditor.policies import layers
from auditor.policies.standing import remark, standing, waived


def reminders(ledger: Ledger, config: Config, today: date) -> tuple[str, ...]:
    """A line about waivers that end soon, expired or cover nothing; none where all are well.

    A policy that does not fit is said instead: how the rest stands can still be read.
    """
    try:
        told = layers(config, today=today)
    except ConfigError as error:
        return (str(error).partition("\n")[0],)
    if not (asked := waived(told)):
        return ()
    line = remark(standing(told, today, ledger.symptoms(asked)))
    return (line,) if line else ()
