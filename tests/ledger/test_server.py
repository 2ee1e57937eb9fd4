"""What only a database server can do: be away, come back, end a connection, keep one waiting."""

import json
import threading
from contextlib import closing

import pytest
from sqlalchemy import text

from auditor.errors import ConfigError, LedgerError
from auditor.ledger import Ledger, engines, watching
from auditor.records import Verdict
from tests.ledger.makers import DAY, START, audited, layer, note, version, versions, waiting
from tests.mlflow_server import free_port
from tests.postgres_server import postgres

pytestmark = pytest.mark.wide


@pytest.fixture
def ledger(server_url):
    with closing(Ledger.open(server_url)) as opened:
        yield opened


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (":{password}@", ":wrong@", "password authentication failed"),
        ("{port}/postgres", "{port}/nowhere", 'database "nowhere" does not exist'),
        ("127.0.0.1:{port}", "127.0.0.1:{free}", "onnection refused"),
        ("127.0.0.1:{port}", "nowhere.invalid", "nowhere.invalid"),
    ],
)
def test_server_that_cannot_be_reached_is_one_line_without_the_password(before, after, says):
    server = postgres()
    words = {"password": server.password, "port": server.port, "free": free_port()}
    wrong = server.url("postgres").replace(before.format(**words), after.format(**words))
    with pytest.raises(ConfigError, match="cannot be opened: ") as caught:
        Ledger.open(wrong)
    said = str(caught.value)
    assert says in said
    assert "\n" not in said
    assert server.password not in said
    assert "wrong" not in said


def test_password_among_the_options_of_a_url_stays_out_of_the_message():
    with pytest.raises(ConfigError) as caught:
        Ledger.open(f"postgresql://me@127.0.0.1:{free_port()}/x?password=sesame")
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_of_the_url_is_understood(server_url, scheme):
    with closing(Ledger.open(server_url.replace("postgresql", scheme, 1))) as ledger:
        assert ledger.engine.driver == "psycopg"
        assert waiting(ledger) == 0


def test_database_that_has_not_every_letter_is_refused():
    latin = "TEMPLATE template0 ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C'"
    with (
        postgres().database(latin) as url,
        pytest.raises(ConfigError, match=r"is in the encoding LATIN1.* ENCODING 'UTF8'"),
    ):
        Ledger.open(url)


def test_place_in_which_nothing_may_be_made_is_refused(empty_server_url):
    server = postgres()
    server.run("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    guest = empty_server_url.replace(f"postgres:{server.password}", "guest:guest")
    try:
        with pytest.raises(ConfigError, match="permission denied for schema public"):
            Ledger.open(guest)
    finally:
        server.run("DROP ROLE guest")


def test_ledger_works_again_when_the_server_is_back(ledger):
    server = postgres()
    note(ledger, "mlflow", versions(1), "here", None, START)
    server.stop()
    with pytest.raises(LedgerError, match="cannot be used now: ") as caught:
        waiting(ledger)
    assert server.password not in str(caught.value)
    assert "\n" not in str(caught.value)
    server.start()
    assert waiting(ledger) == 1
    note(ledger, "mlflow", versions(2), "there", None, START)
    assert ledger.cursor("mlflow") == "there"


def test_restart_between_two_calls_is_not_noticed(ledger):
    note(ledger, "mlflow", versions(1), "here", None, START)
    postgres().stop()
    postgres().start()
    note(ledger, "mlflow", versions(2), "there", None, START)
    assert waiting(ledger) == 2


def test_connection_that_ends_within_a_step_undoes_the_step(ledger):
    def ended() -> None:
        with ledger._write() as session:
            watching.pause(session, "mlflow", paused=True)
            session.flush()
            me = session.scalar(text("SELECT pg_backend_pid()"))
            postgres().run(f"SELECT pg_terminate_backend({me})")
            session.execute(text("SELECT 1"))

    with pytest.raises(LedgerError, match=r"cannot be used now: .* nothing was changed"):
        ended()
    assert ledger.sources() == []


def test_writer_that_holds_on_too_long_is_not_waited_for_forever(server_url, monkeypatch):
    monkeypatch.setattr(engines, "BUSY_SECONDS", 1)
    with closing(Ledger.open(server_url)) as ledger:
        with ledger._write() as session:
            watching.pause(session, "slow", paused=True)
            with pytest.raises(LedgerError, match="lock timeout; nothing was changed"):
                note(ledger, "mlflow", versions(1), None, None, START)
            assert waiting(ledger) == 0  # readers are not held up
        note(ledger, "mlflow", versions(1), None, None, START)
        assert waiting(ledger) == 1
        assert [source.name for source in ledger.sources()] == ["mlflow", "slow"]


def test_machine_that_vanished_lets_go_of_the_lock(server_url, monkeypatch):
    monkeypatch.setattr(engines, "IDLE_SECONDS", 1)
    vanished, ledger = Ledger.open(server_url), Ledger.open(server_url)
    session = vanished._write()
    opened = session.__enter__()
    watching.pause(opened, "mlflow", paused=True)
    opened.flush()
    note(ledger, "hub", versions(1), None, None, START)  # waits, and has it a second later
    assert [source.name for source in ledger.sources()] == ["hub"]
    with pytest.raises(LedgerError):
        session.__exit__(None, None, None)
    vanished.close()
    ledger.close()


def test_reader_sees_one_moment_and_cannot_write(ledger):
    with ledger._read() as session:
        before = session.scalar(text("SELECT count(*) FROM versions"))
        writer = threading.Thread(
            target=note, args=(ledger, "mlflow", versions(1, 2), None, None, START)
        )
        writer.start()
        writer.join()
        assert session.scalar(text("SELECT count(*) FROM versions")) == before == 0
    assert waiting(ledger) == 2
    with pytest.raises(LedgerError, match="read-only"), ledger._read() as session:
        session.execute(text("DELETE FROM versions"))


def test_texts_are_in_the_order_of_their_code_points(ledger):
    same = [version(name, day=1) for name in ("a", "B", "_", "é", "10", "9")]
    note(ledger, "mlflow", same, None, None, START)
    found = [of.id.version for of in ledger.known("mlflow").versions("digits")]
    assert found == ["9", "10", "B", "_", "a", "é"]


def test_documents_with_names_that_are_no_text_can_be_looked_into(ledger):
    hostile = 'fc\udc80\0\x1a0000\\u0000\\\x1a"'
    document = {**audited(version(1), layers=[layer(hostile, 0)]), "reason": f"of {hostile}"}
    document["verdict"] = Verdict.BLOCK
    ledger.save(version(1), document, sinks=["files"], at=START)
    assert ledger.latest(version(1)) == document
    overview = ledger.overview(START - DAY)
    assert [shown.verdict for shown in overview.worst] == [Verdict.BLOCK]
    assert json.dumps(overview.latest[0].reason)
