"""Whether any of the processes that share a ledger leads."""

from auditor.ledger.lead import lead


def is_led(url: str) -> bool:
    """Whether somebody leads, found out by trying to.

    Where nobody does, the lead is ours for a moment; who wants it tries again within seconds.

    Raises
    ------
    ConfigError
        If nobody can share the ledger.
    LedgerError
        If it cannot be found out now.
    """
    found = lead(url)
    if not found.take():
        return True
    found.drop()
    return False
