"""Looks at the sources: never two at one source at a time, whoever asked for them."""

import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from auditor.errors import LedgerError, SourceError, StoppedError
from auditor.ledger import Hint
from auditor.pipeline import App, Bell, follow, look
from auditor.service.patience import Patience

log = logging.getLogger(__name__)

LONGEST = 3600.0  # seconds; a place that is away is asked once an hour at least
MOST_FAILED = 3  # hints in a row of looks: it is the source that is away, not one model
FIRST, LONGEST_HINT = 5.0, 300.0  # seconds; the next look finds what a hint was about, too


@dataclass(slots=True)
class Watch:
    """What is remembered of a source between looks."""

    busy: threading.Lock = field(default_factory=threading.Lock)
    patience: Patience = field(default_factory=lambda: Patience(60.0, LONGEST))
    hints: Patience = field(default_factory=lambda: Patience(FIRST, LONGEST_HINT))
    hints_at: float = 0.0  # by the monotonic clock: when hints are followed again


@dataclass(slots=True)
class Looks:
    """Looks at the sources of an app, and rings where there is something to audit."""

    app: App
    bell: Bell
    over: threading.Event = field(default_factory=threading.Event)  # set: somebody else looks now
    _watches: dict[str, Watch] = field(default_factory=dict)

    def is_busy(self, source: str) -> bool:
        """Whether a look at it is under way."""
        return self._watch(source).busy.locked()

    def look(self, source: str) -> float | None:
        """Look at a source; what goes wrong is written down.

        Returns
        -------
        float or None
            Where it could not be looked at, seconds until that should be tried again.
        """
        watch = self._watch(source)
        with watch.busy:
            began = self.app.clock()
            if (found := self._found(source)) is None:
                return watch.patience.lost()
            watch.patience.regained()
            if found:
                self.bell.ring()
            self.app.ledger.looked(source, began)
        return None

    def follow(self, source: str, hints: Iterable[Hint]) -> None:
        """Look at the models that hints are about; those that cannot be looked at stay."""
        watch, models = self._watch(source), {hint.model: hint for hint in hints}
        with watch.busy:
            failed = 0
            for hint in models.values():
                failed += not self._followed(hint)
                if failed == MOST_FAILED:
                    break
            if failed:
                watch.hints_at = time.monotonic() + watch.hints.lost()
            else:
                watch.hints.regained()

    def _followed(self, hint: Hint) -> bool:
        """Whether the model of a hint was looked at; one that is busy holds up no other."""
        if self.over.is_set():
            return True
        try:
            if follow(self.app, hint):
                self.bell.ring()
        except (SourceError, LedgerError) as error:
            log.warning("%s", error, extra={"event": "hint.failed", "source": hint.source})
        except Exception:  # a bug: the schedule's looks go on, and find it, too
            log.exception("%s: a bug", hint.source, extra={"event": "hint.crashed"})
        else:
            return True
        return False

    def may_follow(self, source: str) -> bool:
        """Whether hints about a source can be followed now."""
        return not self.is_busy(source) and time.monotonic() >= self._watch(source).hints_at

    def _watch(self, source: str) -> Watch:
        return self._watches.setdefault(source, Watch())

    def _found(self, source: str) -> int | None:
        """How many versions are new; None where the look did not come to its end."""
        try:
            return look(self.app, source, self.over)
        except StoppedError:
            return None
        except SourceError:
            pass  # written down and logged where it happened
        except LedgerError as error:
            log.warning("%s", error, extra={"event": "ledger.unusable"})
            return None
        except Exception as error:  # a bug ends this look, not the schedule
            log.exception("%s: a bug", source, extra={"event": "source.crashed", "source": source})
            reason = (
                f"an error in auditor itself, {type(error).__name__}: {error}; please report it"
            )
            self.app.ledger.unreachable(source, reason, self.app.clock())
        self.app.ledger.looked(source, self.app.clock())  # it was had, and that is what it came to
        return None
