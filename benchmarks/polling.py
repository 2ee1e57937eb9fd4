"""What a look at a large MLflow registry costs when nothing changed, and when something did.

A real server on an SQLite file is filled behind its back. Each row is one kind of look: how
many requests it made, how long it took (the fastest and the middle one of all), how many
changes it told. The server's own share is what its answers to the same requests take from a
client that does nothing with them.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import requests

from auditor.records import Reached
from auditor.sources.mlflow import Mlflow
from tests.mlflow_server import Server, serve

HOUR = 3600 * 1000  # ms
APART = 20_000  # ms between two registrations; 30,000 of them take a week
MOST_REQUESTS, MOST_SECONDS = 3, 0.5  # what a quiet look may cost
API = "api/2.0/mlflow"
QUESTIONS = (
    f"{API}/model-versions/search?max_results=50&order_by=creation_timestamp+DESC",
    f"{API}/registered-models/search?max_results=50&order_by=last_updated_timestamp+DESC",
    f"{API}/model-versions/search?max_results=1000&filter=tags.%60auditor.decision%60+ILIKE+%27%25%27",
)


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=int, default=10_000)
    parser.add_argument("--versions", type=int, default=3, help="of each model")
    parser.add_argument("--repeat", type=int, default=20, help="quiet looks that are timed")
    return parser.parse_args()


def look(source: Mlflow, cursor: str | None) -> tuple[str, int]:
    """The cursor after a look, and how many changes it told."""
    told = list(source.changes(cursor))
    ends = [change for change in told if isinstance(change, Reached)]
    return ends[-1].cursor, len(told) - len(ends)


def timed(server: Server, what: str, act: Callable[[], int], repeat: int = 1) -> tuple[int, float]:
    """Print one row; requests of one look, and the seconds of the fastest."""
    asked, seconds, rows = server.requests(), list[float](), 0
    for _ in range(repeat):
        begin = time.perf_counter()
        rows = act()
        seconds.append(time.perf_counter() - begin)
    made = (server.requests() - asked) // repeat
    best = 1e3 * min(seconds)
    print(
        f"{what:<34} {made:>4} requests {best:>9.0f} ms {1e3 * median(seconds):>9.0f} ms "
        f"{rows:>7} changes",
        flush=True,
    )
    return made, min(seconds)


def answers(server: Server, questions: Sequence[str]) -> int:
    """Ask the server and throw the answers away."""
    with requests.Session() as session:
        for question in questions:
            session.get(f"{server.uri}/{question}", timeout=60).raise_for_status()
    return 0


def measure(server: Server, models: int, repeat: int) -> tuple[int, float]:
    """All rows; what the quiet look cost."""
    source = Mlflow(server.uri, history=0)
    state: list[str | None] = [None]

    def again() -> int:
        state[0], told = look(source, state[0])
        return told

    print(f"{'look':<34} {'':>13} {'fastest':>12} {'middle':>12}")
    timed(server, "first, all of it", again)
    timed(server, "second, near the newest", again)
    quiet = timed(server, "nothing changed", again, repeat)
    timed(server, "  the server alone", lambda: answers(server, QUESTIONS), repeat)
    server.client.create_model_version("model-00000", "s3://bucket/model")
    timed(server, "one new version", again)
    server.client.rename_registered_model("model-00001", "renamed")
    timed(server, "one model renamed", again)
    server.client.delete_model_version("model-00002", "1")
    timed(server, "one version deleted", again)
    newest = time.time_ns() // 1_000_000
    server.fill(max(1, models // 10), 3, newest=newest, apart=10, prefix="rush-")
    timed(server, "a rush, a tenth of the registry", again)
    timed(server, "nothing changed since the rush", again, 3)
    return quiet


def main() -> None:
    """Fill a registry and look at it."""
    asked = arguments()
    with TemporaryDirectory() as folder, serve(Path(folder)) as server:
        server.client.create_registered_model("first")  # the tables are there now
        newest = time.time_ns() // 1_000_000 - HOUR
        server.fill(asked.models, asked.versions, newest=newest, apart=APART, prefix="model-")
        print(f"{asked.models} models × {asked.versions} versions; mlflow server, one worker")
        made, seconds = measure(server, asked.models, asked.repeat)
    fits = made <= MOST_REQUESTS and seconds <= MOST_SECONDS
    print(
        f"nothing changed: {made} requests (≤ {MOST_REQUESTS}), {1e3 * seconds:.0f} ms "
        f"(≤ {1e3 * MOST_SECONDS:.0f}){'' if fits else ', MISSED'}"
    )


if __name__ == "__main__":
    main()
