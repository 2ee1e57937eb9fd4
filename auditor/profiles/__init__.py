"""What is usual in a family of models, from our own audits of them.

A profile is a JSON file below ``data``: percentiles of a few metrics by kind of layer, over the
newest audits of models of one architecture that passed or were accepted. It stands in where no
version could be found to compare with.

- ``families``: which models are of one architecture, and when a profile fits
- ``building``: a profile from the audits in a ledger
- ``files``: written, and read as what a stranger wrote
"""

from auditor.profiles.building import Built, Wanted, build
from auditor.profiles.families import Family, family, fitting
from auditor.profiles.files import configured, place, read, write

__all__ = [
    "Built",
    "Family",
    "Wanted",
    "build",
    "configured",
    "family",
    "fitting",
    "place",
    "read",
    "write",
]
