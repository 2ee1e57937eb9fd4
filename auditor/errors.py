"""Every error this package raises on purpose.

* AuditorError
  + ConfigError     config.yaml or a policy is wrong: the program ends before any work
  + UsageError      what was asked for is not there: a path, a REF, a model, a version
  + SourceError     a registry did not answer as it should: looked at again next sweep
    - UnreachableError  the place did not answer: waited for, and no attempt of a version's
      . ArrivingError  the version's files are still being uploaded
    - GoneError     the version was deleted at its source: recorded, never tried again
    - RefusedError  the version lies where this installation may not fetch from
  + WeightsError    a weight file cannot be parsed: the audit ends INCOMPLETE and says why
  + WorkerError     the process that reads and measures ended early: an attempt, then given up
  + StoppedError    the program is told to end: the work is given back as it was
  + LedgerError     the database or the spectra beside it cannot be used: the run ends
  + SinkError       a report could not be delivered: its delivery is tried again alone

Anything else that escapes is a bug and keeps its traceback.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class AuditorError(Exception):
    """Base of all expected failures; its text is one sentence for the person at the keyboard."""


class ConfigError(AuditorError):
    """The configuration is not usable."""


class UsageError(AuditorError):
    """What the command was asked to look at does not exist or cannot be understood."""


class SourceError(AuditorError):
    """A model registry failed or answered nonsense."""


class UnreachableError(SourceError):
    """A place did not answer, which is no version's fault."""


class ArrivingError(UnreachableError):
    """A version was registered before its files, and they are not there yet."""


class GoneError(SourceError):
    """The version no longer exists at its source."""


class RefusedError(SourceError):
    """The version's files lie outside what this installation may fetch."""


class WeightsError(AuditorError):
    """A weight file cannot be parsed."""


class WorkerError(AuditorError):
    """The process in which a version is read and measured ended before it was done."""


class StoppedError(AuditorError):
    """The program was told to end while a version was examined."""


class LedgerError(AuditorError):
    """What is remembered cannot be read or written now: full, locked, gone."""


class SinkError(AuditorError):
    """A report could not be delivered."""


@contextmanager
def translate(*foreign: type[Exception], to: type[AuditorError], doing: str) -> Iterator[None]:
    """Turn a library's exceptions into ours, at the one place that calls the library.

    Parameters
    ----------
    foreign
        The exception types the wrapped library documents.
    to
        What the rest of the package sees instead; the original stays as ``__cause__``.
    doing
        What was being attempted, as the end of the sentence "failed while ...".
    """
    try:
        yield
    except foreign as error:
        raise to(f"failed while {doing}: {error}") from error
