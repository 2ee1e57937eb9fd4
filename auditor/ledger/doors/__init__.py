"""What can be asked of a ledger, by subject; `Ledger` is all of them."""
