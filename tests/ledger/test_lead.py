"""One leads: whoever comes first, until its process ends or its connection is lost."""

import signal
import subprocess
import sys
from contextlib import closing

import psycopg
import pytest

from auditor.errors import ConfigError, LedgerError
from auditor.ledger import Ledger
from auditor.ledger.engines import parse
from auditor.ledger.lead import lead
from tests.service.world import until

LEADER = """
import sys
from auditor.ledger.lead import lead
held = lead(sys.argv[1])
print(held.take(), flush=True)
sys.stdin.read()
"""


def test_whoever_comes_first_leads_until_it_gives_that_back(url):
    first, second = lead(url), lead(url)
    assert (first.take(), second.take()) == (True, False)
    assert (first.take(), first.held(), second.held()) == (True, True, False)
    first.drop()
    assert (first.held(), second.take()) == (False, True)
    second.drop()


def test_a_lead_is_no_lock_on_the_ledger(url):
    held = lead(url)
    assert held.take()
    with closing(Ledger.open(url)) as ledger:
        ledger.pause("place", paused=True)
        assert [state.paused for state in ledger.sources()] == [True]
    held.drop()


def test_the_lead_of_a_killed_process_is_free(url):
    child = subprocess.Popen(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", LEADER, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"True\n"
    mine = lead(url)
    assert not mine.take()
    child.send_signal(signal.SIGKILL)
    child.communicate()
    until(mine.take, "the lead to be free")  # a server sees the end of a connection a moment later
    mine.drop()


def test_a_connection_that_is_lost_is_a_lead_that_is_lost(server_url):
    first, second = lead(server_url), lead(server_url)
    assert first.take()
    plain = parse(server_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
            "AND pid <> pg_backend_pid() "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
    assert not first.held()
    assert second.take()
    assert not first.take()
    second.drop()


def test_a_ledger_in_memory_cannot_be_shared():
    with pytest.raises(ConfigError, match="gone when the program ends; name a file"):
        lead("sqlite://")


def test_where_no_lock_can_be_had_the_sentence_says_so(tmp_path):
    (tmp_path / "auditor.db.lead").mkdir()
    with pytest.raises(LedgerError, match=r"auditor\.db\.lead cannot be locked"):
        lead(f"sqlite:///{tmp_path}/auditor.db").take()


def test_a_server_that_is_not_there_is_a_sentence_without_the_password():
    with pytest.raises(LedgerError, match="cannot be reached") as found:
        lead("postgresql+psycopg://me:secret@127.0.0.1:1/auditor").take()
    assert "secret" not in str(found.value)
