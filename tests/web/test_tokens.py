import json
import stat
from hashlib import sha256

import pytest

from auditor.app import now
from auditor.errors import ConfigError, UsageError
from auditor.web.tokens import ROLES, Keys, Role, add, listed, remove, role


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tokens.json"


def may(keys: Keys, text: str) -> Role | None:
    caller = keys.caller(text)
    return caller.role if caller is not None else None


def test_a_token_is_what_its_file_has_the_digest_of_and_nothing_else(path):
    text = add(path, "ci", Role.ENQUEUE, now())
    assert text.startswith("aud_")
    assert len(text) == 4 + 43  # 256 bits in base64
    written = path.read_text()
    assert text not in written
    [entry] = json.loads(written)["tokens"]
    assert entry["sha256"] == sha256(text.encode()).hexdigest()
    assert (entry["name"], entry["role"]) == ("ci", "enqueue")


def test_nobody_but_its_owner_can_read_the_file(path):
    add(path, "a", Role.READ, now())
    add(path, "b", Role.READ, now())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [other.name for other in path.parent.iterdir()] == ["tokens.json"]


def test_every_token_is_another_one(path):
    assert add(path, "a", Role.READ, now()) != add(path, "b", Role.READ, now())
    assert [token.name for token in listed(path)] == ["a", "b"]


def test_a_name_is_given_once_and_can_be_given_again_after_its_removal(path):
    before = add(path, "ci", Role.READ, now())
    with pytest.raises(UsageError, match="has a token named ci"):
        add(path, "ci", Role.ADMIN, now())
    remove(path, "ci")
    after = add(path, "ci", Role.ADMIN, now())
    keys = Keys(path)
    assert (may(keys, before), may(keys, after)) == (None, Role.ADMIN)


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "a\n", "x" * 65, "é"])
def test_what_is_no_name_is_refused_and_nothing_is_written(path, name):
    with pytest.raises(UsageError, match="no name for a token"):
        add(path, name, Role.READ, now())
    assert not path.exists()


def test_removing_nobody_says_who_there_is(path):
    add(path, "ci", Role.READ, now())
    with pytest.raises(UsageError, match=r"no token named 'cd'; there are: ci"):
        remove(path, "cd")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"tokens": [{"name": "a"}]}',
        '{"tokens": [], "more": 1}',
        "\xff",
        '{"tokens": [{"name":"a","role":"nobody","sha256":"'
        + "0" * 64
        + '","created":"2026-01-01T00:00:00Z"}]}',
    ],
)
def test_a_file_of_something_else_is_refused_and_left_alone(path, content):
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigError, match="no file of tokens"):
        Keys(path)
    with pytest.raises(ConfigError, match="no file of tokens"):
        add(path, "ci", Role.READ, now())
    assert path.read_bytes() == content.encode("latin-1")


def test_a_file_that_is_not_there_is_named_with_what_makes_it(path):
    with pytest.raises(ConfigError, match=r"tokens\.json: there is no file.*auditor token add"):
        Keys(path)


@pytest.mark.parametrize("name", ROLES)
def test_a_role_goes_into_the_file_and_comes_out(path, name):
    text = add(path, "somebody", role(name), now())
    assert may(Keys(path), text) == role(name)


@pytest.mark.parametrize("name", ["nobody", "READ", "", "root"])
def test_there_is_no_other_role(name):
    with pytest.raises(UsageError, match="there are: read, enqueue, decide, admin"):
        role(name)


def test_a_changed_file_counts_at_once(path):
    first = add(path, "a", Role.READ, now())
    keys = Keys(path)
    second = add(path, "b", Role.ADMIN, now())
    assert (may(keys, first), may(keys, second)) == (Role.READ, Role.ADMIN)
    remove(path, "a")
    assert (may(keys, first), may(keys, second)) == (None, Role.ADMIN)


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_text("{")])
def test_a_file_that_is_spoiled_lets_nobody_in_until_it_is_whole_again(path, spoil, caplog):
    text = add(path, "a", Role.READ, now())
    whole = path.read_bytes()
    keys = Keys(path)
    spoil(path)
    assert may(keys, text) is None
    assert [record.event for record in caplog.records] == ["tokens.unreadable"]
    path.write_bytes(whole)
    assert may(keys, text) is Role.READ


@pytest.mark.parametrize("given", ["", "aud_", "\udc80", "\0", "é", "x" * 10_000])
def test_no_text_but_the_token_is_the_token(path, given):
    add(path, "a", Role.READ, now())
    assert may(Keys(path), given) is None
