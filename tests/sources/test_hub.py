"""Models on the Hub, by the names people give them: what is found, and what is fetched."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from auditor.errors import GoneError, RefusedError, SourceError, UsageError
from auditor.file_cache import trim
from auditor.hub_client import Hub
from auditor.hub_client.hub import Place, parse
from auditor.records import Role, SourceFile
from tests import hub_server
from tests.hub_server import TOKEN
from tests.mlflow_server import free_port

WEIGHTS = bytes(range(256)) * 300
FILES = {"model.safetensors": WEIGHTS, "config.json": b"{}", "README.md": b"", "sub/x.bin": b"x"}
NAME = "acme/tiny"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[hub_server.Hub]:
    """A Hub with one repository; nobody is logged in."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    with hub_server.serve() as made:
        made.push(NAME, FILES)
        yield made


@pytest.fixture
def hub(server: hub_server.Hub, tmp_path: Path) -> Hub:
    return Hub(server.endpoint, cache=tmp_path / "files", pauses=(0.0,), silence=1.0)


def files(hub: Hub, ref: str = f"hf://{NAME}") -> dict[str, SourceFile]:
    return {file.name: file for file in hub.files(hub.find(ref))}


def whole(file: SourceFile) -> bytes:
    with file.open() as handle:
        return handle.read()


# --- names ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ref", "place"),
    [
        ("hf://a/b", Place("a/b", "main")),
        ("hf://models/a/b", Place("a/b", "main")),
        ("hf://a/b@v1.0", Place("a/b", "v1.0")),
        ("hf://a/b@refs/pr/3/sub", Place("a/b", "refs/pr/3", "sub")),
        ("hf://a/b@x%2Fy", Place("a/b", "x/y")),
        ("hf://a/b@main/sub/folder", Place("a/b", "main", "sub/folder")),
        ("hf://a/b/sub", Place("a/b", "main", "sub")),
    ],
)
def test_a_ref_is_repository_revision_and_folder(ref, place):
    assert parse(ref) == place


@pytest.mark.parametrize(
    "ref",
    [
        *("hf://", "hf://a", "hf://a/b@", "hf://a/b@main/../x", "hf://a/..", "hf://a/b@\x1b[1m"),
        *("hf://datasets/a/b", "hf://spaces/a/b", "hf://a/b//x", "hf://a/" + "b" * 400),
    ],
)
def test_a_ref_of_another_form_says_what_was_expected(ref):
    with pytest.raises(UsageError, match="expected hf://org/name") as problem:
        parse(ref)
    assert "\x1b" not in str(problem.value)


# --- versions -------------------------------------------------------------------------------


def test_a_branch_is_the_commit_it_stands_for(server, hub):
    first = server.repos[NAME].commits[0]
    second = server.push(NAME, FILES)
    found = hub.find(f"hf://{NAME}")
    assert found.id.version == second.sha
    assert found.id.model == NAME
    assert found.created_at == second.date
    assert found.uri == f"hf://{NAME}@{second.sha}"
    assert found.facts["revision"] == "main"
    before = hub.find(f"hf://{NAME}@{first.sha}")
    assert (before.id.version, before.created_at) == (first.sha, first.date)


def test_a_version_is_found_by_the_uri_it_gave(hub):
    for ref in (f"hf://{NAME}", f"hf://{NAME}@main/sub"):
        found = hub.find(ref)
        assert hub.find(found.uri) == replace(found, facts=hub.find(found.uri).facts)
        assert hub.find(found.uri).identity == found.identity


def test_a_tag_and_a_commit_are_found_relative_to_a_version(server, hub):
    first, second = server.repos[NAME].commits[0], server.push(NAME, FILES)
    server.repos[NAME].tags["v1"] = first.sha
    here = hub.find(f"hf://{NAME}@v1/sub")
    assert here.id.version == first.sha
    latest = hub.resolve("latest", here)
    assert latest is not None
    assert (latest.id.version, latest.id.model) == (second.sha, f"{NAME}/sub")
    tagged = hub.resolve("v1", latest)
    assert tagged is not None
    assert tagged.identity == here.identity


@pytest.mark.parametrize(
    "ref", ["nope", "..", ".", "a/../b", "previous", "alias:champion", "@champion", "base_model"]
)
def test_what_is_not_there_is_no_version(hub, ref):
    assert hub.resolve(ref, hub.find(f"hf://{NAME}")) is None


@pytest.mark.parametrize("ref", ["", "no", "models:/no/1", "alias:no", "latest", "hf://no/one"])
def test_knows_no_version_by_another_name(hub, ref):
    assert hub.resolve(ref, None) is None


@pytest.mark.parametrize("card", [f"{NAME}-base", [f"{NAME}-base", "other/one"]])
def test_the_base_model_of_the_card_is_found(server, hub, card):
    base = server.push(f"{NAME}-base", FILES)
    server.repos[NAME].card = {"base_model": card, "license": "mit"}
    here = hub.find(f"hf://{NAME}")
    found = hub.resolve("base_model", here)
    assert found is not None
    assert found.id.version == base.sha
    assert here.facts["license"] == "mit"


@pytest.mark.parametrize("card", ["../..", "a/b@c/../d", 7, "\x1b[1m", [], ["<script>"]])
def test_a_card_that_names_no_model_names_none(server, hub, card):
    server.repos[NAME].card = {"base_model": card}
    assert hub.resolve("base_model", hub.find(f"hf://{NAME}")) is None


def test_a_renamed_repository_goes_by_its_new_name(server, hub):
    server.renamed["old/name"] = NAME
    found = hub.find("hf://old/name")
    assert found.id.model == NAME
    assert found.facts["renamed_from"] == "old/name"
    assert whole(files(hub, "hf://old/name")["model.safetensors"]) == WEIGHTS


@pytest.mark.parametrize(
    ("issues", "said"),
    [
        ([], "no issue found by the Hub's scans"),
        ([{"path": "x.bin", "level": "unsafe"}], "unsafe: 'x.bin'"),
        ([{"path": "\x1b[1m", "level": "suspicious"}], r"suspicious: '\x1b[1m'"),
    ],
)
def test_the_verdict_of_the_hubs_scans_is_a_fact(server, hub, issues, said):
    server.repos[NAME].issues = issues
    assert hub.find(f"hf://{NAME}").facts["security"] == said


# --- files ----------------------------------------------------------------------------------


def test_lists_files_with_role_size_and_digest_and_opens_them(hub):
    found = files(hub)
    assert {name: file.size for name, file in found.items()} == {
        name: len(content) for name, content in FILES.items()
    }
    assert found["model.safetensors"].role is Role.WEIGHTS
    assert found["model.safetensors"].sha256 == hashlib.sha256(WEIGHTS).hexdigest()
    assert found["config.json"].sha256 is None
    assert {name: whole(file) for name, file in found.items()} == FILES


def test_a_folder_is_all_there_is_of_its_version(hub):
    assert list(files(hub, f"hf://{NAME}@main/sub")) == ["x.bin"]
    assert list(files(hub, f"hf://{NAME}@main/su")) == []


def test_a_kept_file_is_not_fetched_again_whatever_commit_it_is_of(server, hub):
    whole(files(hub)["model.safetensors"])
    server.push(NAME, FILES)
    again = files(hub)["model.safetensors"]
    assert again.ranges is None  # it lies on this machine
    before = server.sent
    assert whole(again) == WEIGHTS
    assert server.sent == before
    assert trim(hub.cache, 0) == len(WEIGHTS)
    assert whole(again) == WEIGHTS
    assert server.sent > before


def test_parts_of_a_file_are_fetched_by_ranges_of_one_signed_address(server, hub):
    file = files(hub)["model.safetensors"]
    assert file.ranges is not None
    with file.ranges() as handle:
        for at in (0, 70_000, 33_000):
            handle.seek(at)
            assert handle.read(300) == WEIGHTS[at : at + 300]
    asked = [one for one in server.asked if one.at in {"resolve", "cdn"}]
    assert [one.at for one in asked] == ["resolve", "cdn", "cdn", "cdn"]
    assert all(one.headers["accept-encoding"] == "identity" for one in asked)
    assert not list(hub.cache.rglob("*"))


def test_parts_of_a_small_file_come_from_the_hub_itself(hub):
    ranges = files(hub)["config.json"].ranges
    assert ranges is not None
    with ranges() as handle:
        assert handle.read() == b"{}"


def test_an_address_whose_signature_expired_is_asked_for_anew(server, hub):
    ranges = files(hub)["model.safetensors"].ranges
    assert ranges is not None
    with ranges() as handle:
        assert handle.read(1) == WEIGHTS[:1]
        server.age()
        handle.seek(50_000)
        assert handle.read(1) == WEIGHTS[50_000:50_001]
    kinds = [one.at for one in server.asked if one.at in {"resolve", "cdn"}]
    assert kinds[-3:] == ["cdn", "resolve", "cdn"]


def test_a_store_that_takes_no_address_is_told(server, hub):
    server.fresh = -1.0
    with pytest.raises(SourceError, match="its store answered 403 to the address"):
        whole(files(hub)["model.safetensors"])


@pytest.mark.parametrize("name", ["../x.bin", "/etc/passwd", "a/../../b", "a//b", "a\\..\\b", ""])
def test_a_listing_that_leads_out_is_refused(server, hub, name):
    server.push(NAME, {"model.safetensors": WEIGHTS, name: b"x"})
    with pytest.raises(RefusedError, match="outside of it"):
        hub.find(f"hf://{NAME}")


def test_a_hostile_name_is_a_name(server, hub):
    hostile = "we ights#?&%2e\x1b\n\u202e.bin"
    server.push(NAME, {hostile: WEIGHTS})
    found = files(hub)[hostile]
    assert whole(found) == WEIGHTS
    assert len(list(hub.cache.rglob("*"))) == 2  # a folder and a file, neither named by it


# --- who may have it ------------------------------------------------------------------------


def test_the_token_goes_to_the_hub_and_nowhere_else(server, hub, monkeypatch, caplog):
    caplog.set_level("DEBUG")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    server.repos[NAME].private = True
    file = files(hub)["model.safetensors"]
    assert file.ranges is not None
    with file.ranges() as handle:
        handle.read(1)
    assert whole(file) == WEIGHTS
    for asked in server.asked:
        expected = None if asked.at == "cdn" else f"Bearer {TOKEN}"
        assert asked.headers.get("authorization") == expected
        assert TOKEN not in asked.path
    assert {asked.at for asked in server.asked} == {"api", "resolve", "cdn"}
    assert TOKEN not in caplog.text
    assert "Signature" not in caplog.text
    assert TOKEN not in repr(file)
    assert TOKEN not in repr(Hub(token=TOKEN))


def test_an_api_that_redirects_to_another_host_is_not_followed(server, hub):
    elsewhere = {"Location": f"{server.cdn}/api/models/x"}
    server.faults = [hub_server.Fault("api", hub_server.Kind.STATUS, 307, headers=elsewhere)]
    with pytest.raises(SourceError, match="led to another server"):
        hub.find(f"hf://{NAME}")
    assert [one.at for one in server.asked] == ["api"]


def gated(server):
    server.repos[NAME].gated = "manual"


def private(server):
    server.repos[NAME].private = True


def disabled(server):
    server.repos[NAME].disabled = True


def missing(server):
    del server.repos[NAME]


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        (gated, RefusedError, "is gated; accept its conditions"),
        (private, GoneError, "is not at http.* or is private"),
        (missing, GoneError, "is not at http.* or is private"),
        (disabled, RefusedError, "was disabled"),
    ],
)
def test_what_may_not_be_had_is_told_as_what_it_is(server, hub, change, kind, said):
    change(server)
    with pytest.raises(kind, match=f"acme/tiny@.*{said}"):
        whole(files(hub)["model.safetensors"])


def test_a_revision_that_is_gone_is_gone(server, hub):
    with pytest.raises(GoneError, match="no such revision"):
        hub.find(f"hf://{NAME}@nope")
    version = hub.find(f"hf://{NAME}")
    server.repos[NAME].commits.clear()
    server.push(NAME, FILES)
    with pytest.raises(GoneError, match=version.id.version):
        hub.files(version)


def test_a_gated_repository_is_read_with_a_token(server, hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    gated(server)
    assert hub.find(f"hf://{NAME}").facts["gated"] == "manual"
    assert whole(files(hub)["model.safetensors"]) == WEIGHTS


@pytest.mark.parametrize("token", ["hf_wrong", "hf with spaces", "hf_ünicode"])
def test_a_token_that_is_none_is_told_and_not_repeated(hub, monkeypatch, token):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(SourceError, match="HF_TOKEN") as problem:
        hub.find(f"hf://{NAME}")
    assert token not in str(problem.value)


@pytest.mark.parametrize("endpoint", ["huggingface.co", "file:///etc", "ftp://x"])
def test_an_endpoint_that_is_no_address_is_told(endpoint, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    with pytest.raises(UsageError, match="HF_ENDPOINT"):
        Hub().find(f"hf://{NAME}")


# --- nonsense -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        *("[]", "null", "7", "{}", '{"id": 7}', "[" * 100_000, '{"id": "a/b", "sha": "main"}'),
        json.dumps({"id": "a/b", "sha": "0" * 40, "siblings": [{"rfilename": "x", "size": -1}]}),
        json.dumps({"id": "../b", "sha": "0" * 40}),
    ],
)
def test_an_answer_of_another_form_is_one_sentence(server, hub, answer):
    server.says = answer.encode()
    with pytest.raises(SourceError) as problem:
        hub.find(f"hf://{NAME}")
    assert len(str(problem.value)) < 500
    assert sum(one.at == "api" for one in server.asked) == 1


def test_a_place_that_is_not_there_is_a_source_error_that_names_it(tmp_path):
    nowhere = Hub(f"http://127.0.0.1:{free_port()}", cache=tmp_path, pauses=())
    with pytest.raises(SourceError, match=r"acme/tiny@main: the connection to http.* failed"):
        nowhere.find(f"hf://{NAME}")
