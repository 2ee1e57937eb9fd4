"""A Hub on a bad day: what is tried again, what is told, and that nothing wrong is kept."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditor.errors import SourceError
from auditor.hub_client import Hub
from auditor.records import SourceFile
from auditor.weights.windows import LARGEST
from tests import hub_server
from tests.hub_server import Fault, Kind
from tests.hub_store import Commit, Content

pytestmark = pytest.mark.wide

WEIGHTS = bytes(range(256)) * 12_000
REF = "hf://acme/tiny"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[hub_server.Hub]:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with hub_server.serve() as made:
        made.push("acme/tiny", {"model.safetensors": WEIGHTS, "config.json": b"{}"})
        yield made


@pytest.fixture
def hub(server: hub_server.Hub, tmp_path: Path) -> Hub:
    return Hub(server.endpoint, cache=tmp_path / "files", pauses=(0.0, 0.0), silence=0.3)


@pytest.fixture
def weights(hub: Hub) -> SourceFile:
    return hub.files(hub.find(REF))[0]


def whole(file: SourceFile) -> bytes:
    with file.open() as handle:
        return handle.read()


def part(file: SourceFile, offset: int = 1000, count: int = 100) -> bytes:
    assert file.ranges is not None
    with file.ranges() as handle:
        handle.seek(offset)
        return handle.read(count)


def kept(hub: Hub) -> list[Path]:
    return [path for path in hub.cache.rglob("*") if path.is_file()]


PASSING = [
    Fault("api", Kind.STATUS, 503, times=2),
    Fault("api", Kind.STATUS, 429, headers={"Retry-After": "0"}),
    Fault("api", Kind.SILENCE, 5),
    Fault("api", Kind.CUT, 10),
]


@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: fault.kind)
def test_a_listing_that_fails_for_a_moment_is_asked_for_again(server, hub, fault):
    server.faults = [fault]
    assert hub.find(REF).id.model == "acme/tiny"
    assert fault.times == 0


@pytest.mark.parametrize("at", ["resolve", "cdn"])
@pytest.mark.parametrize(
    "kind", [Kind.SILENCE, Kind.CUT, Kind.STATUS], ids=lambda kind: f"{kind}-fault"
)
def test_bytes_that_fail_for_a_moment_are_asked_for_again(server, weights, at, kind):
    for read, expected in ((part, WEIGHTS[1000:1100]), (whole, WEIGHTS)):
        value = {Kind.SILENCE: 5, Kind.CUT: 1_000_000, Kind.STATUS: 502}[kind]
        server.faults = [Fault(at, kind, value)]
        assert read(weights) == expected


def test_a_download_goes_on_where_it_broke_off(server, hub, weights):
    server.faults = [Fault("cdn", Kind.CUT, 1_000_000), Fault("cdn", Kind.CUT, 2_000_000)]
    before = server.sent
    assert whole(weights) == WEIGHTS
    assert server.sent - before == len(WEIGHTS)
    assert len(kept(hub)) == 1


def test_a_server_that_sends_all_of_it_again_is_read_from_the_start(server, weights):
    server.faults = [Fault("cdn", Kind.CUT, 1_000_000), Fault("cdn", Kind.WHOLE)]
    assert whole(weights) == WEIGHTS


def test_a_failure_that_lasts_is_told_and_leaves_nothing(server, hub, weights):
    server.faults = [Fault("cdn", Kind.CUT, 1_000_000, times=99)]
    with pytest.raises(SourceError, match=r"the connection to .* failed"):
        whole(weights)
    assert not kept(hub)
    assert not list(hub.cache.glob(".staging-*"))


def test_long_waits_are_not_waited_for(server, hub):
    server.faults = [Fault("api", Kind.STATUS, 429, headers={"Retry-After": "86400"})]
    start = time.monotonic()
    with pytest.raises(SourceError, match=r"no more requests now and asks to wait 86400 s.*TOKEN"):
        hub.find(REF)
    assert time.monotonic() - start < 5
    assert len(server.asked) == 1


def test_the_wait_that_a_rate_limit_states_is_told(server, hub):
    limit = {"RateLimit": '"api";r=0;t=299'}
    server.faults = [Fault("api", Kind.STATUS, 429, headers=limit)]
    with pytest.raises(SourceError, match="asks to wait 299 s"):
        hub.find(REF)


def test_a_page_of_a_proxy_is_no_listing(server, hub):
    server.faults = [Fault("api", Kind.PAGE)]
    with pytest.raises(SourceError, match="no JSON; is there a proxy"):
        hub.find(REF)


def test_a_listing_longer_than_any_is_not_read_to_its_end(server, hub, monkeypatch):
    monkeypatch.setattr("auditor.hub_client.access.LONGEST_JSON", 1000)
    server.says = b" " * 10_000
    with pytest.raises(SourceError, match="longer than any listing"):
        hub.find(REF)


@pytest.mark.parametrize("at", [0, 1_500_000, len(WEIGHTS) - 1])
def test_one_wrong_bit_is_seen_and_nothing_is_kept(server, hub, weights, at):
    server.faults = [Fault("cdn", Kind.CORRUPT, at)]
    with pytest.raises(SourceError, match=r"SHA-256 [0-9a-f]{64}, the Hub states [0-9a-f]{64}"):
        whole(weights)
    assert not kept(hub)
    assert whole(weights) == WEIGHTS  # the next attempt is a new one


def test_one_wrong_bit_of_a_small_file_is_seen_too(server, hub):
    config = hub.files(hub.find(REF))[1]
    server.faults = [Fault("resolve", Kind.CORRUPT, 0, times=2)]  # the redirect and the bytes
    with pytest.raises(SourceError, match="git SHA-1"):
        whole(config)
    assert not kept(hub)


def test_a_file_longer_than_stated_is_not_read_to_its_end(server, hub):
    digest = "0" * 64
    server.push("acme/tiny", {"model.safetensors": Content(WEIGHTS, digest, "0" * 40)})
    file = hub.files(hub.find(REF))[0]
    commit = server.repos["acme/tiny"].commits[-1]
    longer = Content(WEIGHTS * 2, digest, "0" * 40)
    server.repos["acme/tiny"].commits[-1] = Commit(
        commit.sha, commit.date, {"model.safetensors": longer}
    )
    with pytest.raises(SourceError, match="longer than the Hub states"):
        whole(file)


@pytest.mark.parametrize(
    ("kind", "said"), [(Kind.WHOLE, "ignores ranges"), (Kind.SHIFTED, "answered 206 with")]
)
def test_another_range_than_asked_for_is_refused_by_its_headers(server, weights, kind, said):
    server.faults = [Fault("cdn", kind, times=9)]
    with pytest.raises(SourceError, match=said):
        part(weights)
    assert sum(one.at == "cdn" for one in server.asked) == 1


def test_a_server_that_ignores_ranges_is_not_read(server, hub, tmp_path):
    big = tmp_path / "big"
    with big.open("wb") as sparse:
        sparse.truncate(200 << 20)
    server.push("acme/tiny", {"model.safetensors": Content.of(big, "1" * 64)})
    file = hub.files(hub.find(REF))[0]
    server.faults = [Fault("cdn", Kind.WHOLE, times=9)]
    with pytest.raises(SourceError, match="ignores ranges"):
        part(file)
    assert server.sent < LARGEST  # what fits in the buffers of a line


def test_a_file_of_another_commit_is_refused(server, weights):
    other = {"X-Repo-Commit": "f" * 40, "Location": f"{server.endpoint}/x"}
    server.faults = [Fault("resolve", Kind.STATUS, 302, headers=other)]
    with pytest.raises(SourceError, match="answered of commit 'ffff"):
        whole(weights)


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("file:///etc/passwd", "redirected to a 'file' address"),
        ("ftp://127.0.0.1/x", "redirected to a 'ftp' address"),
        ("http://x:port/", "no address"),
        ("{}/acme/tiny/resolve/main/model.safetensors", "more than 5 redirects"),
    ],
)
def test_a_redirect_that_leads_astray_is_not_followed(server, weights, location, said):
    there = {"Location": location.format(server.endpoint)}
    server.faults = [Fault("resolve", Kind.STATUS, 302, times=99, headers=there)]
    with pytest.raises(SourceError, match=said):
        whole(weights)


def test_a_disk_without_room_is_told_before_anything_is_fetched(server, hub, tmp_path):
    huge = Content.of(_sparse(tmp_path / "huge", 1 << 43), "2" * 64)
    server.push("acme/tiny", {"model.safetensors": huge})
    file = hub.files(hub.find(REF))[0]
    before = len(server.asked)
    with pytest.raises(SourceError, match="does not fit on the disk"):
        whole(file)
    assert len(server.asked) == before


def _sparse(path: Path, size: int) -> Path:
    with path.open("wb") as handle:
        handle.truncate(size)
    return path
