"""Services as a page has to show them: quiet, in trouble, and full of hostile names."""

from datetime import timedelta

from auditor.ledger import Notice, Told
from auditor.records import Priority, Trouble, Verdict
from auditor.web import House
from tests.ledger.makers import audited, version
from tests.render.factory import HOSTILE
from tests.web.standing_house import NOW

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LEASE = timedelta(minutes=10)


def made(number: int, model: str, ago: timedelta):
    """A version made so long before now."""
    return version(number, model, day=(NOW - ago - version(0).created_at) / DAY)


def empty(_home: House) -> None:
    """Nothing has happened yet."""


def quiet(home: House) -> None:
    """A week in which everything went well."""
    ledger = home.ledger
    names = ("digits", "churn-forecast", "llama-3.1-8b-support", "ranking")
    first = [made(1, name, 30 * DAY) for name in names]
    ledger.note("mlflow", Told(first, cursor="c"), NOW - 20 * DAY, history=None)
    for one in first:
        ledger.save(one, audited(one), sinks=(), at=NOW - 20 * DAY)
    for number, name in enumerate(names, 2):
        one = made(number, name, number * HOUR)
        seen = NOW - number * HOUR + MINUTE
        ledger.note("mlflow", Told([one], cursor="c"), seen, history=None)
        ledger.save(one, audited(one), sinks=(), at=seen + number * MINUTE)
    remarks = {"rate limit": "480 of 500 requests left until 12:05 UTC"}
    for name in home.rhythms:
        ledger.note(name, Told(cursor="c", remarks=remarks), NOW, history=None)


def troubled(home: House) -> None:
    """Everything that can be wrong, at once."""
    quiet(home)
    ledger = home.ledger
    seen = [made(number, "digits", 3 * HOUR - number * MINUTE) for number in range(7, 13)]
    others = [made(1, name, 2 * HOUR) for name in ("broken", "refused", "flaky", "slow", "base")]
    told = Told([*seen, *others], [Trouble("org/gated", "is gated: ask for access")], cursor="c")
    ledger.note("mlflow", told, NOW - 2 * HOUR, history=None)
    verdicts = (Verdict.REVIEW, Verdict.BLOCK)
    for one, verdict in zip((*seen[:1], others[-1]), verdicts, strict=True):
        ledger.save(one, audited(one, verdict=verdict), sinks=["files"], at=NOW - 2 * HOUR)
    for delivery in ledger.due(NOW):
        ledger.undelivered(delivery.id, "No space left on device", NOW, MINUTE)
    _work(home)
    ledger.notify([Notice("k", "team", "info", "t", "b")], NOW - 2 * HOUR)
    for waiting in ledger.take_notices(NOW, MINUTE):
        ledger.unnotified(waiting.id, "the address refused it: 404", NOW, MINUTE)
    ledger.unreachable("hub", "https://huggingface.co fell silent", NOW)


def _work(home: House) -> None:
    ledger = home.ledger
    while (claim := ledger.claim(NOW, lease=LEASE, owner="host:7:1.0")) is not None:
        one, name = claim.version, claim.version.id.model
        if name == "refused":
            ledger.refused(one, "s3://elsewhere is not below the experiment; add it to allow")
        elif name in {"broken", "flaky"}:
            most = 1 if name == "broken" else 3
            reason = "the file model.safetensors ends after 12 bytes"
            ledger.failed(one, "host:7:1.0", reason, NOW, max_attempts=most, pause=MINUTE)


def hostile(home: House) -> None:
    """Names that try to be markup, to reorder text, or to be very long."""
    versions = [made(1, name, HOUR) for name in HOSTILE]
    troubles = [Trouble(name, name) for name in HOSTILE]
    told = Told(versions, troubles, cursor="c", remarks={name: name for name in HOSTILE})
    home.ledger.note("mlflow", told, NOW, history=None, priority=Priority.NIGHTLY)
    for one in versions[1:]:
        home.ledger.save(one, audited(one, verdict=Verdict.BLOCK), sinks=(), at=NOW)
    home.ledger.unreachable("hub", HOSTILE[0] + HOSTILE[4], NOW)
    for _ in versions:
        claim = home.ledger.claim(NOW, lease=LEASE, owner=HOSTILE[1])
        if claim is not None:
            home.ledger.refused(claim.version, HOSTILE[0])


def large(home: House) -> None:
    """A thousand models, each with a verdict."""
    versions = [made(1, f"model-{number:04}", HOUR) for number in range(1000)]
    home.ledger.note("mlflow", Told(versions, cursor="c"), NOW, history=None)
    for number, one in enumerate(versions[:100]):
        verdict = list(Verdict)[number % 4]
        home.ledger.save(one, audited(one, verdict=verdict), sinks=["files"], at=NOW)
