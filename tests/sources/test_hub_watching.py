"""Repositories that are watched: what is told of them, and what a look asks for."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import ConfigError, SourceError, UnreachableError
from auditor.ledger import Told
from auditor.plugins import build
from auditor.records import ModelVersion, Seen, Trouble, VersionId
from auditor.sources.hub import Hub
from tests import hub_server
from tests.hub_server import TOKEN, Fault, Kind
from tests.hub_store import Content
from tests.hub_watch import NAME, Watched, watched

pytestmark = pytest.mark.wide  # forty seconds of looks; test_hub_line has one of each

Watch = Callable[..., Watched]
WEIGHTS = [bytes([number]) * 100 for number in range(9)]
README = b"# a card"


def files(number: int, readme: bytes = README) -> dict[str, bytes]:
    return {"model.safetensors": WEIGHTS[number], "README.md": readme}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[hub_server.Hub]:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("auditor.sources.hub.PAUSES", (0.0,))
    with hub_server.serve() as made:
        yield made


@pytest.fixture
def watch(server: hub_server.Hub, tmp_path: Path) -> Iterator[Watch]:
    with ExitStack() as stack:

        def start(**settings: Any) -> Watched:
            return stack.enter_context(watched(server, tmp_path, **settings))

        yield start


# --- what is new ----------------------------------------------------------------------------


def test_of_a_new_repository_the_newest_commit_is_seen_with_what_the_hub_says(server, watch):
    server.push(NAME, files(0))
    newest = server.push(NAME, files(1))
    server.repos[NAME].gated = "manual"
    server.repos[NAME].card = {"base_model": "acme/base", "license": "mit"}
    hub = watch(repos=[NAME])
    hub.look()
    [version] = hub.records()
    assert version.id == VersionId("hub", NAME, newest.sha)
    assert version.created_at == newest.date
    assert version.location == f"hf://{NAME}@{newest.sha}"
    assert version.facts == {
        "security": "no issue found by the Hub's scans",
        "gated": "manual",
        "license": "mit",
        "base_model": "acme/base",
        "repository": server.repos[NAME].number,
    }


def test_later_commits_are_seen_each_time_and_only_once(server, watch):
    server.push(NAME, files(0))
    hub = watch(repos=[NAME])
    expected = [server.repos[NAME].commits[0].sha]
    hub.look()
    for number in (1, 2, 3):
        expected.append(server.push(NAME, files(number)).sha)
        hub.look()
        hub.look()
        assert hub.versions() == expected


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ("none", [5]),
        (1, [5]),
        (2, [2, 5]),
        (3, [1, 2, 5]),
        (4, [0, 1, 2, 5]),
        ("all", [0, 1, 2, 5]),
    ],
)
def test_history_goes_back_along_the_commits_that_brought_other_weights(
    server, watch, history, expected
):
    for number in (0, 1, 0):
        server.push(NAME, files(number))
    for text in (b"a", b"b", b"c"):
        server.push(NAME, files(0, text))
    commits = [commit.sha for commit in server.repos[NAME].commits]
    hub = watch(repos=[NAME], history=history)
    hub.look()
    assert hub.versions() == [commits[at] for at in (0, 1, 5)][-len(expected) :] or (
        hub.versions() == [commits[at] for at in expected]
    )


def test_authors_and_searches_find_repositories_and_patterns_leave_some_out(server, watch):
    for name in ("acme/one", "acme/two-GGUF", "other/three", "other/four", "else/five"):
        server.push(name, files(0))
    for number, name in enumerate(("other/three", "other/four", "else/five")):
        server.repos[name].topics = ("nlp",)
        server.repos[name].downloads = 100 - number
    search = {"filter": "nlp", "sort": "downloads", "limit": 2}
    hub = watch(authors=["acme"], searches=[search], exclude=["*-GGUF"])
    hub.look()
    assert set(hub.app.ledger.known("hub").models()) == {"acme/one", "other/three", "other/four"}


def test_what_falls_out_of_a_search_stays_known_and_is_not_looked_at(server, watch):
    for name in ("a/one", "a/two"):
        server.push(name, files(0))
    server.repos["a/one"].downloads = 9
    hub = watch(searches=[{"limit": 1}])
    hub.look()
    server.repos["a/two"].downloads = 10
    server.push("a/one", files(1))
    hub.look()
    asked = hub.reconcile()
    assert len(hub.versions("a/one")) == len(hub.versions("a/two")) == 1
    assert len(asked) == 1


def test_branches_and_tags_are_watched_by_pattern(server, watch):
    main = server.push(NAME, files(0))
    branch = server.push(NAME, files(1), branch="step1000")
    server.push(NAME, files(2), branch="scratch")
    server.repos[NAME].tags["v1"] = main.sha
    hub = watch(repos=[NAME], revisions=["main", "step*", "v*"])
    hub.look()
    assert hub.versions() == [main.sha, branch.sha]
    assert len(hub.look()) == 2  # the repository, and its branches
    after = server.push(NAME, files(3), branch="step1000")
    newest = server.push(NAME, files(4))
    hub.look()
    assert hub.versions() == [main.sha, branch.sha, after.sha, newest.sha]
    assert not hub.gone


def test_a_branch_that_is_taken_back_loses_its_own_commits_alone(server, watch):
    main = server.push(NAME, files(0))
    server.push(NAME, files(1), branch="next")
    hub = watch(repos=[NAME], revisions=["main", "next"])
    hub.look()
    lost = server.repos[NAME].branches["next"].sha
    other = server.push(NAME, files(2))
    hub.look()
    server.repos[NAME].branches["next"] = main
    hub.look()
    assert hub.versions() == [main.sha, other.sha]
    assert "the history of next was rewritten" in hub.gone[lost]


# --- in which order -------------------------------------------------------------------------


def test_the_order_is_that_of_the_history_whatever_dates_say(server, watch):
    day = datetime(2026, 1, 9, tzinfo=UTC)
    lies = [0, -3, 5, 5, -40, 2]  # days
    shas = [server.push(NAME, files(n), date=day + timedelta(d)).sha for n, d in enumerate(lies)]
    hub = watch(repos=[NAME], history="all")
    hub.look()
    assert hub.versions() == shas
    dates = [version.created_at for version in hub.records()]
    assert dates == sorted(set(dates))
    assert dates[2] == day + timedelta(5)
    for version in hub.records():  # and a REF finds the same version
        found = hub.app.sources["hub"].resolve(version.uri, None)
        assert found is not None
        assert found.identity == version.identity


def test_a_commit_dated_before_what_was_seen_comes_after_it(server, watch):
    server.push(NAME, files(0), date=datetime(2026, 3, 1, tzinfo=UTC))
    hub = watch(repos=[NAME])
    hub.look()
    late = server.push(NAME, files(1), date=datetime(2020, 1, 1, tzinfo=UTC))
    hub.look()
    assert hub.versions()[-1] == late.sha
    first, second = hub.records()
    assert first.created_at < second.created_at


# --- what a look costs ----------------------------------------------------------------------


def test_a_named_repository_that_did_not_change_is_one_request(server, watch):
    server.push(NAME, files(0))
    hub = watch(repos=[NAME])
    assert len(hub.look()) == 3  # where it stands, its history, its files
    assert len(hub.look()) == 1
    server.push(NAME, files(1))
    assert len(hub.look()) == 3


def test_an_author_of_whom_nothing_changed_is_one_request(server, watch):
    for number in range(30):
        server.push(f"acme/m{number}", files(0))
    hub = watch(authors=["acme"])
    assert len(hub.look()) == 1 + 2 * 30
    assert len(hub.look()) == 1
    server.push("acme/m3", files(1))
    assert len(hub.look()) == 3
    assert len(hub.look()) == 1


@pytest.mark.wide  # 5,000 repositories
def test_five_thousand_repositories_of_an_author_are_one_request(server, watch):
    content = Content.of(WEIGHTS[0])
    hub = watch(authors=["acme"])
    seen = []
    for number in range(5000):
        commit = server.push(f"acme/m{number}", {"model.safetensors": content})
        id_, uri = VersionId("hub", f"acme/m{number}", commit.sha), f"hf://x@{commit.sha}"
        facts = {"repository": server.repos[id_.model].number}
        seen.append(ModelVersion(id_, commit.date, uri, uri, facts))
    hub.app.ledger.note("hub", Told(seen), hub.app.clock(), history=0)
    assert len(hub.look()) == 5  # all of them, to compare, in pages of a thousand
    assert len(hub.look()) == 1
    server.push("acme/m77", {"model.safetensors": Content.of(WEIGHTS[1])})
    assert len(hub.look()) == 3


def test_a_repository_touched_while_pages_are_turned_is_found_by_the_next_look(
    server, watch, monkeypatch
):
    monkeypatch.setattr("auditor.hub_client.looking.FULL_PAGE", 3)
    for number in range(9):
        server.push(f"acme/m{number}", files(0))
    hub = watch(authors=["acme"])
    hub.look()
    server.between.append(lambda: server.push("acme/m0", files(1)))  # it was on the last page
    assert len(hub.reconcile()) == 3 + 3  # the pages, and for the one that was on none
    assert len(hub.versions("acme/m0")) == 2
    for number in range(1, 9):
        server.push(f"acme/m{number}", files(1))
    monkeypatch.setattr("auditor.hub_client.looking.PAGE", 3)
    monkeypatch.setattr("auditor.hub_client.looking.OVERLAP", 0.0)
    server.between.append(lambda: server.push("acme/m1", files(2)))
    hub.look()
    assert len(hub.versions("acme/m1")) == 1
    hub.look()
    assert len(hub.versions("acme/m1")) == 2


def test_a_full_comparison_finds_what_the_newest_dates_hide(server, watch):
    server.push("acme/one", files(0))
    server.push("acme/two", files(0))
    hub = watch(authors=["acme"])
    hub.look()
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    hidden = server.push("acme/one", files(1), date=long_ago)
    server.repos["acme/one"].modified = long_ago
    hub.look()
    assert hidden.sha not in hub.versions("acme/one")
    hub.reconcile()
    assert hidden.sha in hub.versions("acme/one")


def test_other_settings_mean_that_everything_is_looked_at_again(server, watch):
    shas = [server.push(NAME, files(number)).sha for number in range(3)]
    hub = watch(repos=[NAME])
    hub.look()
    assert hub.versions() == shas[-1:]
    deeper = watch(repos=[NAME], history=3)
    deeper.look()
    assert deeper.versions() == shas
    assert len(deeper.look()) == 1


# --- what happens to repositories -----------------------------------------------------------


def test_a_renamed_repository_keeps_its_versions(server, watch):
    server.push(NAME, files(0))
    hub = watch(repos=[NAME])
    hub.look()
    server.push(NAME, files(1))
    hub.look()
    before = hub.versions()
    server.rename(NAME, "acme/bigger")
    hub.look()
    assert hub.versions() == []
    assert hub.versions("acme/bigger") == before
    assert not hub.gone
    assert {found.facts["renamed_from"] for found in hub.records("acme/bigger")} == {NAME}
    latest = server.push("acme/bigger", files(2))
    assert len(hub.look()) == 4  # one is for the redirect
    assert hub.versions("acme/bigger") == [*before, latest.sha]


def test_a_renamed_repository_of_an_author_keeps_its_versions(server, watch):
    server.push("acme/a", files(0))
    server.push("acme/b", files(0))
    hub = watch(authors=["acme"])
    hub.look()
    before = hub.versions("acme/a")
    server.rename("acme/a", "acme/c")
    hub.reconcile()
    assert (hub.versions("acme/a"), hub.versions("acme/c")) == ([], before)
    assert not hub.gone


def test_a_repository_that_moved_to_somebody_not_watched_is_told(server, watch):
    server.push("acme/a", files(0))
    hub = watch(authors=["acme"])
    hub.look()
    server.rename("acme/a", "other/a")
    hub.reconcile()
    assert len(hub.versions("other/a")) == 1
    assert "name it in `repos`" in hub.troubles["other/a"]


def test_a_name_given_to_another_repository_is_told(server, watch):
    first = server.push(NAME, files(0))
    hub = watch(repos=[NAME])
    hub.look()
    del server.repos[NAME]
    second = server.push(NAME, files(1))
    hub.look()
    assert hub.versions() == [second.sha]
    assert hub.gone == {first.sha: f"the name {NAME} was given to another repository"}
    assert hub.records()[0].facts["replaced"] == "another repository had this name until now"


def test_a_name_that_leads_to_another_repository_is_told(server, watch):
    first = server.push(NAME, files(0))
    other = server.push("mirror/tiny", files(1))
    hub = watch(repos=[NAME])
    hub.look()
    del server.repos[NAME]
    server.renamed[NAME] = "mirror/tiny"
    hub.look()
    assert first.sha in hub.gone
    assert hub.troubles[NAME].startswith(f"{NAME} leads to another repository now, mirror/tiny")
    assert hub.versions("mirror/tiny") == [other.sha]


def test_a_deleted_or_hidden_repository_is_gone_and_comes_back(server, watch):
    commit = server.push(NAME, files(0))
    hub = watch(repos=[NAME])
    hub.look()
    server.repos[NAME].private = True
    hub.look()
    assert "or is private; check its name" in hub.gone[commit.sha]
    server.repos[NAME].private = False
    hub.look()
    assert hub.versions() == [commit.sha]
    assert not hub.gone


def test_a_deleted_repository_of_an_author_is_gone_at_the_next_comparison(server, watch):
    server.push("acme/a", files(0))
    gone = server.push("acme/b", files(0))
    hub = watch(authors=["acme"])
    hub.look()
    del server.repos["acme/b"]
    hub.look()
    assert not hub.gone
    hub.reconcile()
    assert list(hub.gone) == [gone.sha]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"private": True}, "or is private; check its name"),
        ({"disabled": True}, "was disabled by"),
        ({"commits": []}, "has no commit yet"),
    ],
)
def test_what_cannot_be_looked_at_is_told_and_hides_nothing(server, watch, change, said):
    server.push("acme/bad", files(0))
    good = server.push(NAME, files(0))
    for name, value in change.items():
        setattr(server.repos["acme/bad"], name, value)
    hub = watch(repos=["acme/bad", NAME])
    hub.look()
    assert list(hub.troubles) == ["acme/bad"]
    assert said in hub.troubles["acme/bad"]
    assert hub.versions() == [good.sha]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"README.md": b"soon"}, "holds no weight file"),
        ({"model.safetensors": b"w" * 2000}, "more than the 0.0 GB that `max_size`"),
        ({"model.safetensors": b"w", "../x.bin": b"x"}, "outside of it"),
    ],
)
def test_a_commit_that_is_no_version_is_told_once_and_asked_for_once(server, watch, content, said):
    server.push(NAME, content)
    hub = watch(repos=[NAME], max_size="1kB")
    hub.look()
    assert said in hub.troubles[NAME]
    assert hub.versions() == []
    assert len(hub.look()) == 1
    assert said in hub.troubles[NAME]
    fit = server.push(NAME, files(0))
    hub.look()
    assert hub.versions() == [fit.sha]
    assert not hub.troubles


@pytest.mark.parametrize(
    "mend",
    [
        lambda server: server.repos.pop("acme/bad"),
        lambda server: server.rename("acme/bad", "other/bad"),
        lambda server: setattr(server.repos["acme/bad"], "private", True),
    ],
    ids=["deleted", "renamed", "hidden"],
)
def test_a_trouble_ends_with_what_it_is_about(server, watch, mend):
    server.push(NAME, files(0))
    server.push("acme/bad", {"README.md": b"soon"})
    hub = watch(authors=["acme"])
    hub.look()
    assert list(hub.troubles) == ["acme/bad"]
    mend(server)
    hub.reconcile()
    assert "acme/bad" not in hub.troubles


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"authors": ["acme"]}, {"authors": ["acme"], "exclude": ["*/bad"]}),
        ({"repos": [NAME, "acme/bad"]}, {"repos": [NAME]}),
        ({"repos": [NAME, "acme/none"]}, {"repos": [NAME]}),
        ({"searches": [{}]}, {"authors": ["acme"], "max_size": "1GB"}),
    ],
)
def test_a_trouble_ends_when_nobody_looks_any_more_or_it_is_allowed(server, watch, before, after):
    server.push(NAME, files(0))
    server.push("acme/bad", {"model.safetensors": b"w" * 2000})
    hub = watch(max_size="1kB", **before)
    hub.look()
    assert len(hub.troubles) == 1
    other = watch(**{"max_size": "1kB", **after})
    other.look()
    assert not other.troubles


@pytest.mark.usefixtures("server")
def test_a_hint_of_what_was_never_there_leaves_no_trouble(watch):
    hub = watch(authors=["acme"])
    told = list(hub.app.sources["hub"].look("acme/none", hub.app.ledger.known("hub")))
    assert told == [Trouble("acme/none", "")]


def test_an_author_who_has_nothing_is_told_until_there_is_something(server, watch):
    server.push(NAME, files(0))
    hub = watch(authors=["acme", "amce"])
    hub.look()
    assert "amce has no model at" in hub.troubles["amce"]
    hub.reconcile()
    assert list(hub.troubles) == ["amce"]
    server.push("amce/tiny", files(0))
    hub.reconcile()
    assert not hub.troubles


def test_copies_of_the_weights_do_not_count_for_the_largest_size(server, watch):
    both = {"model.safetensors": b"w" * 900, "pytorch_model.bin": b"w" * 900}
    commit = server.push(NAME, both)
    hub = watch(repos=[NAME], max_size="1kB")
    hub.look()
    assert hub.versions() == [commit.sha]


def test_a_rewritten_history_is_told_and_what_it_lost_is_gone(server, watch):
    kept = server.push(NAME, files(0))
    hub = watch(repos=[NAME])
    hub.look()
    lost = server.push(NAME, files(1))
    hub.look()
    server.rewind(NAME)
    amended = server.push(NAME, files(2))
    hub.look()
    assert hub.versions() == [kept.sha, amended.sha]
    assert list(hub.gone) == [lost.sha]
    assert "was rewritten, and this commit is not in it" in hub.gone[lost.sha]
    assert lost.sha[:12] in hub.records()[-1].facts["rewound"]


def test_a_history_that_is_taken_back_loses_what_it_lost_and_finds_it_again(server, watch):
    kept = server.push(NAME, files(0))
    hub = watch(repos=[NAME])
    hub.look()
    lost = server.push(NAME, files(1))
    hub.look()
    server.rewind(NAME)
    hub.look()
    assert (hub.versions(), list(hub.gone)) == ([kept.sha], [lost.sha])
    assert len(hub.look()) == 1
    server.repos[NAME].commits.append(lost)
    hub.look()
    assert hub.versions() == [kept.sha, lost.sha]


def test_a_history_squashed_into_one_commit_loses_all_before(server, watch):
    for number in range(3):
        server.push(NAME, files(number))
    hub = watch(repos=[NAME], history="all")
    hub.look()
    before = hub.versions()
    server.repos[NAME].commits.clear()
    squashed = server.push(NAME, files(2))
    hub.look()
    assert hub.versions() == [squashed.sha]
    assert set(hub.gone) == set(before)


def test_many_commits_since_the_last_look_are_no_rewritten_history(server, watch):
    server.push(NAME, files(0))
    hub = watch(repos=[NAME])
    hub.look()
    for number in range(120):
        server.push(NAME, files(1, b"%d" % number))
    asked = hub.look()
    assert len(asked) == 5  # three pages of its history
    assert len(hub.versions()) == 2
    assert not hub.gone


def test_a_repository_that_is_being_pushed_to_is_waited_for(server, watch):
    server.push(NAME, files(0))
    server.repos[NAME].modified = datetime.now(UTC)
    hub = watch(authors=["acme"])
    hub.look()
    assert hub.versions() == []
    final = server.push(NAME, files(1))
    server.repos[NAME].modified = datetime.now(UTC) - timedelta(hours=1)
    hub.look()
    assert hub.versions() == [final.sha]
    assert not hub.troubles


def test_a_push_that_does_not_end_is_not_waited_for_for_ever(server, watch):
    server.push(NAME, files(0))
    server.repos[NAME].modified = datetime.now(UTC)
    hub = watch(repos=[NAME])
    hub.look()
    cursor = json.loads(hub.state.cursor or "")
    assert list(cursor["again"]) == [NAME]
    hub.set({**cursor, "again": {NAME: cursor["again"][NAME] - 4000}})
    hub.look()
    assert len(hub.versions()) == 1
    assert json.loads(hub.state.cursor or "")["again"] == {}


# --- hints ----------------------------------------------------------------------------------


def test_a_hint_is_followed_where_the_model_is_watched(server, watch):
    server.push(NAME, files(0))
    server.push("other/one", files(0))
    hub = watch(authors=["acme"])
    source, known = hub.app.sources["hub"], hub.app.ledger.known("hub")
    [seen] = source.look(NAME, known)
    assert isinstance(seen, Seen)
    assert seen.version.id.model == NAME
    before = len(server.asked)
    assert list(source.look("other/one", known)) == []
    assert len(server.asked) == before


def test_a_hint_of_what_is_being_pushed_to_stays(server, watch):
    server.push(NAME, files(0))
    server.repos[NAME].modified = datetime.now(UTC)
    source = watch(repos=[NAME]).app.sources["hub"]
    with pytest.raises(UnreachableError, match="is being pushed to"):
        list(source.look(NAME))


# --- a bad day ------------------------------------------------------------------------------


def test_a_look_that_breaks_off_goes_on_where_it_was(server, watch):
    for number in range(30):
        server.push(f"acme/m{number:02}", files(0))
    hub = watch(authors=["acme"])
    server.faults = [Fault("api", Kind.RESET, spare=1 + 2 * 25, times=9)]
    with pytest.raises(SourceError, match="failed"):
        hub.look()
    assert 20 <= len(hub.app.ledger.known("hub").models()) < 30
    server.faults = []
    assert len(hub.look()) == 1 + 2 * 10
    assert len(hub.app.ledger.known("hub").models()) == 30


def test_requests_that_are_left_are_told(server, watch):
    server.allowed["api"] = 500
    server.push(NAME, files(0))
    hub = watch(repos=[NAME])
    hub.look()
    assert hub.state.remarks == {"rate limit": "497 of 500 API requests left, 295 s to go"}


def test_when_no_more_requests_are_allowed_it_is_said_until_when(server, watch):
    server.allowed["api"], server.resets = 20, 290
    for number in range(30):
        server.push(f"acme/m{number}", files(0))
    hub = watch(authors=["acme"])
    said = r"allows no more requests now and asks to wait 290 s, until 20.* UTC.*HF_TOKEN"
    with pytest.raises(SourceError, match=said):
        hub.look()
    assert hub.state.last_error is not None


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("api", Kind.STATUS, 429, times=9, headers={"Retry-After": "86400"}), "wait 86400 s"),
        (Fault("api", Kind.SILENCE, 5, times=9), "fell silent"),
        (Fault("api", Kind.RESET, times=9), "failed"),
        (Fault("api", Kind.PAGE, times=9), "no JSON; is there a proxy"),
        (Fault("api", Kind.STATUS, 503, times=9), "answered 503"),
        (Fault("api", Kind.CUT, 10, times=9), "failed"),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_a_hub_that_does_not_serve_is_no_success(server, watch, fault, said):
    server.push(NAME, files(0))
    hub = watch(repos=[NAME, "acme/other"], timeout="0.3s")
    server.faults = [fault]
    with pytest.raises(UnreachableError, match=said):
        hub.look()
    assert hub.state.last_success is None
    server.faults = []
    hub.look()
    assert len(hub.versions()) == 1


def test_a_hub_that_asks_to_wait_for_a_moment_is_obeyed(server, watch):
    server.push(NAME, files(0))
    server.faults = [Fault("api", Kind.STATUS, 429, headers={"Retry-After": "1"})]
    hub = watch(repos=[NAME])
    hub.look()
    assert len(hub.versions()) == 1


def test_one_repository_the_hub_fails_at_does_not_hide_the_others(server, watch):
    for name in ("acme/a", "acme/b", "acme/c"):
        server.push(name, files(0))
    server.faults = [Fault("api", Kind.STATUS, 500, spare=1, times=2)]  # all tries of the first
    hub = watch(authors=["acme"])
    hub.look()
    assert set(hub.app.ledger.known("hub").models()) == {"acme/b", "acme/c"}
    assert "answered 500" in hub.troubles["acme/a"]
    hub.look()  # though nothing changed since
    assert len(hub.versions("acme/a")) == 1
    assert not hub.troubles


def test_a_token_that_is_not_accepted_is_no_repository_that_is_gone(server, watch):
    server.push(NAME, files(0))
    hub = watch(repos=[NAME], token=TOKEN)
    hub.look()
    again = watch(repos=[NAME], token="hf_revoked")  # noqa: S106 - none
    with pytest.raises(SourceError, match="does not accept the token; renew it") as problem:
        again.look()
    assert "hf_revoked" not in str(problem.value)
    assert len(again.versions()) == 1
    assert not again.gone


def test_a_listing_that_goes_on_at_another_server_is_not_followed(server, watch):
    for number in range(3):
        server.push(f"acme/m{number}", files(0))
    hub = watch(authors=["acme"], token=TOKEN)
    server.onward = server.cdn
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("auditor.hub_client.looking.FULL_PAGE", 2)
        with pytest.raises(SourceError, match="led to another server"):
            hub.look()
    assert {asked.at for asked in server.asked} == {"api"}


@pytest.mark.parametrize("answer", ["[]", "7", '{"id": "../x", "_id": "1"}', "[[[7]]]"])
def test_answers_of_another_form_are_told(server, watch, answer):
    server.push(NAME, files(0))
    hub = watch(repos=[NAME])
    server.says = answer.encode()
    hub.look()
    assert "in another form" in hub.troubles[NAME]


@pytest.mark.parametrize("name", ["../../etc", "a\x1b[1m/b", "a/b/c", "-/x", "a" * 300])
def test_names_in_a_listing_that_are_none_are_passed_over(server, watch, name):
    good = server.push(NAME, files(0))
    server.push("acme/bad", files(0))
    server.repos["acme/bad"].id = name
    hub = watch(searches=[{"limit": 10}])
    hub.look()
    assert list(hub.app.ledger.known("hub").models()) == [NAME]
    assert hub.versions() == [good.sha]


# --- settings -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "watches nothing: name repos, authors or searches"),
        ({"repos": ["a b"]}, "found 'a b': expected org/name"),
        ({"authors": ["../x"]}, "expected a user or an org"),
        ({"repos": ["a/b"], "endpoint": "huggingface.co"}, "expected an address such as"),
        ({"searches": [{"sort": "downlods"}]}, "downlods"),
        ({"searches": [{"limits": 3}]}, "limits"),
        ({"repos": ["a/b"], "max_size": "big"}, "expected a size such as"),
        ({"repos": ["a/b"], "settle": -1}, "greater than or equal to 0"),
        ({"repos": ["a/b"], "reconcile": "often"}, "expected a time such as"),
    ],
)
def test_settings_that_do_not_fit_are_told(settings, said):
    with pytest.raises(ConfigError, match=said.replace("(", r"\(")):
        build("sources", "hub", settings)


def test_secrets_are_not_shown(tmp_path):
    (tmp_path / "secret").write_text("whsec\n")
    hub = build(
        "sources",
        "hub",
        {"repos": ["a/b"], "token": TOKEN, "webhook_secret_file": str(tmp_path / "secret")},
    )
    assert isinstance(hub, Hub)
    assert hub.webhook_secret == (tmp_path / "secret").read_text().strip()
    assert TOKEN not in repr(hub)
    assert "whsec" not in repr(hub)
