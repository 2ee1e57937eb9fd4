"""The Hub that tests run against, held against the client of the real one."""

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from auditor.hub_client import Hub
from tests import hub_server
from tests.hub_server import TOKEN, Fault, Kind
from tests.hub_store import Content

NAME = "acme/tiny"
FILES = {"model.safetensors": bytes(range(256)) * 300, "config.json": b"{}", "a/b.bin": b"b"}
DOWNLOAD = """
import sys
from huggingface_hub import hf_hub_download
endpoint, cache, name, file = sys.argv[1:]
path = hf_hub_download(name, file, endpoint=endpoint, cache_dir=cache, token=False)
sys.stdout.buffer.write(open(path, "rb").read())
"""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[hub_server.Hub]:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with hub_server.serve() as made:
        made.push(NAME, FILES)
        made.repos[NAME].tags["v1"] = made.push(NAME, {**FILES, "README.md": b"new"}).sha
        yield made


@pytest.fixture
def api(server: hub_server.Hub) -> HfApi:
    return HfApi(server.endpoint, token=False)


def test_the_real_client_reads_the_same_of_a_version(server, api, tmp_path):
    info = api.model_info(NAME, revision="v1", files_metadata=True, securityStatus=True)
    hub = Hub(server.endpoint, cache=tmp_path)
    version = hub.find(f"hf://{NAME}@v1")
    assert info.sha == version.id.version
    stated = {s.rfilename: (s.size, s.lfs.sha256 if s.lfs else None) for s in info.siblings or ()}
    assert stated == {file.name: (file.size, file.sha256) for file in hub.files(version)}
    assert info.security_repo_status == {"scansDone": True, "filesWithIssues": []}
    commits = api.list_repo_commits(NAME, revision="v1")
    assert commits[0].commit_id == version.id.version
    assert commits[0].created_at == version.created_at


def test_the_real_client_lists_trees_and_refs(server, api):
    tree = {entry.path: entry.size for entry in api.list_repo_tree(NAME, recursive=True)}
    assert tree == {name: len(content) for name, content in {**FILES, "README.md": b"new"}.items()}
    refs = api.list_repo_refs(NAME)
    newest = server.repos[NAME].commits[-1].sha
    assert [(ref.name, ref.target_commit) for ref in refs.branches] == [("main", newest)]
    assert [(ref.name, ref.target_commit) for ref in refs.tags] == [("v1", newest)]


def test_the_real_client_lists_models_page_by_page(server, api):
    content = Content.of(b"weights")
    for number in range(1005):
        server.push(f"many/m{number}", {"model.safetensors": content})
    before = len(server.asked)
    listed = list(api.list_models(author="many", sort="last_modified", expand=["sha"]))
    assert len(server.asked) - before == 2
    newest_first = [f"many/m{number}" for number in reversed(range(1005))]
    assert [info.id for info in listed] == newest_first
    assert listed[0].sha == server.repos["many/m1004"].commits[-1].sha
    some = api.list_models(author="many", sort="last_modified", limit=3)
    assert [info.id for info in some] == newest_first[:3]


def test_the_real_client_searches(server, api):
    for number, name in enumerate(("a/bert", "b/bert-large", "c/gpt", "d/bert-private")):
        server.push(name, {"model.safetensors": b"weights"})
        server.repos[name].topics = ("nlp",) if number != 1 else ("nlp", "pytorch")
        server.repos[name].downloads = number
    server.repos["d/bert-private"].private = True

    def found(**asked: Any) -> list[str]:
        return [info.id for info in api.list_models(sort="downloads", **asked)]

    assert found(search="BERT") == ["b/bert-large", "a/bert"]
    assert found(filter="nlp") == ["c/gpt", "b/bert-large", "a/bert"]
    assert found(filter=["nlp", "pytorch"]) == ["b/bert-large"]
    with pytest.raises(HfHubHTTPError, match="Invalid option for expand"):
        list(api.list_models(expand=["nonsense"]))


def test_the_real_client_lists_all_commits_of_a_branch(server, api):
    for number in range(120):
        server.push(NAME, {**FILES, "README.md": b"%d" % number})
    side = server.push(NAME, FILES, branch="side")
    commits = api.list_repo_commits(NAME)
    assert [one.commit_id for one in commits] == [
        one.sha for one in reversed(server.repos[NAME].commits)
    ]
    assert api.list_repo_commits(NAME, revision="side")[0].commit_id == side.sha
    branches = {ref.name: ref.target_commit for ref in api.list_repo_refs(NAME).branches}
    assert branches == {"main": commits[0].commit_id, "side": side.sha}


def test_the_real_client_asks_for_the_least_of_a_repository(server, api):
    info = api.model_info(NAME, expand=["sha", "lastModified", "disabled"])
    assert info.sha == server.repos[NAME].commits[-1].sha
    assert info.last_modified == server.repos[NAME].commits[-1].date
    assert info.siblings is None


def test_the_real_client_reads_what_is_still_allowed(server, api):
    server.allowed["api"] = 500
    utils = import_module("huggingface_hub.utils")
    answer = utils.get_session().get(f"{server.endpoint}/api/models/{NAME}")
    left = utils.parse_ratelimit_headers(answer.headers)
    assert left is not None
    assert (left.resource_type, left.remaining) == ("api", 499)
    assert (left.limit, left.window_seconds) == (500, 300)
    server.allowed["api"] = 1
    with pytest.raises(HfHubHTTPError, match="429"):
        api.model_info(NAME)


def test_the_real_client_finds_what_was_rewound_gone(server, api):
    lost = server.push(NAME, FILES)
    server.rewind(NAME)
    with pytest.raises(RevisionNotFoundError):
        api.model_info(NAME, revision=lost.sha)


@pytest.mark.parametrize("file", FILES)
def test_the_real_client_downloads_the_bytes(server, tmp_path, file):
    asked = [sys.executable, "-c", DOWNLOAD, server.endpoint, str(tmp_path), NAME, file]
    env = {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run(asked, capture_output=True, check=True, env=env)  # noqa: S603
    assert done.stdout == FILES[file]


def test_the_real_client_understands_the_refusals(server, api):
    repo = server.repos[NAME]
    for file, kind in (("config.json", None), ("no.bin", RemoteEntryNotFoundError)):
        url = f"{server.endpoint}/{NAME}/resolve/main/{file}"
        if kind is not None:
            with pytest.raises(kind):
                api.get_hf_file_metadata(url=url)
    with pytest.raises(RevisionNotFoundError):
        api.model_info(NAME, revision="no")
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("acme/none")
    with pytest.raises(HfHubHTTPError, match="401"):
        HfApi(server.endpoint, token="hf_wrong").model_info(NAME)  # noqa: S106
    url = f"{server.endpoint}/{NAME}/resolve/main/model.safetensors"
    repo.gated = "auto"
    with pytest.raises(GatedRepoError):
        api.get_hf_file_metadata(url=url)
    repo.gated, repo.disabled = False, True
    with pytest.raises(DisabledRepoError):
        api.get_hf_file_metadata(url=url)
    repo.disabled, repo.private = False, True
    with pytest.raises(RepositoryNotFoundError):
        api.model_info(NAME)
    assert HfApi(server.endpoint, token=TOKEN).model_info(NAME).private


def test_the_real_client_follows_a_renaming(server, api):
    server.rename(NAME, "acme/bigger")
    assert api.model_info(NAME).id == "acme/bigger"
    server.push(NAME, FILES)
    assert api.model_info(NAME).id == NAME  # somebody else has the name now


def test_the_real_client_does_not_see_a_wrong_bit(server, tmp_path):
    """Why our own download hashes: the client compares sizes."""
    server.faults = [Fault("cdn", Kind.CORRUPT, 5)]
    asked = [sys.executable, "-c", DOWNLOAD, server.endpoint, str(tmp_path), NAME]
    env = {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HOME": str(tmp_path)}
    asked.append("model.safetensors")
    done = subprocess.run(asked, capture_output=True, check=True, env=env)  # noqa: S603
    assert done.stdout != FILES["model.safetensors"]
    assert len(done.stdout) == len(FILES["model.safetensors"])


def test_nothing_global_of_the_real_client_is_changed(server, tmp_path):
    code = (
        "import os, huggingface_hub as hub, huggingface_hub.utils._http as http, sys\n"
        "before = (dict(os.environ), http._GLOBAL_CLIENT_FACTORY)\n"
        "from auditor.hub_client import Hub\n"
        f"Hub({server.endpoint!r}).find('hf://{NAME}')\n"
        "print(before == (dict(os.environ), http._GLOBAL_CLIENT_FACTORY), http._GLOBAL_CLIENT)\n"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"HF_HOME": str(tmp_path)},
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.split() == ["True", "None"]
