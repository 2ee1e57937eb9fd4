import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.exc import IntegrityError

from auditor.errors import ConfigError, LedgerError
from auditor.ledger import Ledger, engines, opening
from auditor.ledger.models import Base
from tests.ledger.makers import HOUR, START, audited, note, version, versions, waiting

SPAWN = multiprocessing.get_context("forkserver")


def test_makes_the_folders_and_the_file(tmp_path):
    place = tmp_path / "not" / "there" / "yet 100%.db"
    Ledger.open(f"sqlite:///{place}").close()
    assert place.is_file()


def test_what_was_written_is_there_after_opening_again(empty_url):
    first = Ledger.open(empty_url)
    note(first, "mlflow", versions(1, 2), "here", None, START)
    first.close()
    second = Ledger.open(empty_url)
    assert second.cursor("mlflow") == "here"
    assert waiting(second) == 2
    second.close()


def test_closing_leaves_one_file_behind(empty_file_url, tmp_path):
    ledger = Ledger.open(empty_file_url)
    note(ledger, "mlflow", versions(1), "here", None, START)
    ledger.close()
    assert [path.name for path in tmp_path.iterdir()] == ["auditor.db"]


def test_revisions_make_exactly_the_tables_of_the_models(ledger):
    with ledger.engine.connect() as connection:
        options = {"version_table": opening.VERSION_TABLE, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []


def test_constraints_have_the_names_the_models_give_them(ledger):
    found = inspect(ledger.engine)
    for name, table in Base.metadata.tables.items():
        unique, foreign = found.get_unique_constraints(name), found.get_foreign_keys(name)
        made = [found.get_pk_constraint(name), *unique, *foreign]
        assert {one["name"] for one in made} == {one.name for one in table.constraints}


@pytest.mark.parametrize("revision", opening.revisions()[:-1])
def test_database_of_every_earlier_revision_is_brought_up_to_date(empty_url, revision):
    engine = engines.make(engines.parse(empty_url))
    with engine.execution_options(writes=True).begin() as connection:
        opening.upgrade(connection, to=revision)
        wanted = {"paused": "FALSE", "troubles": "'{}'", "remarks": "'{}'"}  # since 0003
        there = {column["name"] for column in inspect(connection).get_columns("sources")}
        given = {"name": "'mlflow'", "cursor": "'kept'"}
        given |= {name: value for name, value in wanted.items() if name in there}
        row = f"({', '.join(given)}) VALUES ({', '.join(given.values())})"
        connection.execute(text(f"INSERT INTO sources {row}"))
    engine.dispose()
    ledger = Ledger.open(empty_url)
    assert ledger.cursor("mlflow") == "kept"
    ledger.save(version(1), audited(version(1)), sinks=["files"], at=START)
    assert ledger.latest(version(1)) == audited(version(1))
    ledger.close()


def test_interrupted_migration_leaves_an_empty_database(empty_url):
    engine = engines.make(engines.parse(empty_url))
    with engine.execution_options(writes=True).connect() as connection:
        transaction = connection.begin()
        opening.upgrade(connection)
        assert inspect(connection).get_table_names()
        transaction.rollback()
    assert inspect(engine).get_table_names() == []
    engine.dispose()


@contextmanager
def another_program(url: str) -> Iterator[Connection]:
    """A transaction of somebody who does not know what a ledger is."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def test_schema_of_a_newer_program_is_refused_and_left_alone(url):
    Ledger.open(url).close()
    with another_program(url) as connection:
        connection.execute(text("UPDATE auditor_schema SET version_num = '9999'"))
    with pytest.raises(ConfigError, match=r"schema 9999, newer than .* install"):
        Ledger.open(url)
    with another_program(url) as connection:
        assert connection.scalar(text("SELECT version_num FROM auditor_schema")) == "9999"


def test_database_of_another_program_is_refused_and_left_alone(empty_url):
    with another_program(empty_url) as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num TEXT)"))
        connection.execute(text("CREATE TABLE registered_models (name TEXT)"))
    with pytest.raises(ConfigError, match="tables of another program"):
        Ledger.open(empty_url)
    with another_program(empty_url) as connection:
        names = inspect(connection).get_table_names()
    assert sorted(names) == ["alembic_version", "registered_models"]


def test_file_that_is_no_database_is_refused_and_left_alone(empty_file_url, tmp_path):
    (tmp_path / "auditor.db").write_text("a letter to a friend " * 100)
    with pytest.raises(ConfigError, match=r"auditor\.db cannot be opened: file is not a database"):
        Ledger.open(empty_file_url)
    assert (tmp_path / "auditor.db").read_text().startswith("a letter")


def test_folder_in_place_of_the_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="unable to open database file"):
        Ledger.open(f"sqlite:///{tmp_path}")


def test_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="making the ledger's folder"):
        Ledger.open(f"sqlite:///{tmp_path / 'file' / 'auditor.db'}")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "write one such as sqlite:///auditor.db"),
        ("auditor.db", "write one such as sqlite:///auditor.db"),
        ("oracle9://host/x", "oracle9://host/x is of a kind that cannot be used; expected sqlite"),
        ("sqlite+nonsense:///x.db", "is of a kind that cannot be used"),
        ("postgresql+asyncpg://host/x", "is of a kind that cannot be used"),
    ],
)
def test_url_that_names_no_database_is_refused(url, says):
    with pytest.raises(ConfigError, match=says):
        Ledger.open(url)


@pytest.mark.parametrize("url", ["nonsense://me:sesame@host/x", "me:sesame@host"])
def test_password_stays_out_of_the_message(url):
    with pytest.raises(ConfigError) as caught:
        Ledger.open(url)
    assert "sesame" not in str(caught.value)


def open_and_note(url: str, number: int) -> None:
    ledger = Ledger.open(url)
    note(ledger, "mlflow", [version(number, f"model-{number}")], None, None, START)
    ledger.close()


def test_processes_may_open_a_new_ledger_at_the_same_time(empty_url):
    workers = [SPAWN.Process(target=open_and_note, args=(empty_url, n)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    ledger = Ledger.open(empty_url)
    assert waiting(ledger) == 4
    ledger.close()


def test_threads_share_a_ledger(url):
    threads_share(Ledger.open(url))


def test_threads_share_a_ledger_that_is_nowhere():
    threads_share(Ledger.open("sqlite://"))


def threads_share(ledger: Ledger) -> None:
    note(ledger, "mlflow", versions(*range(1, 41)), None, None, START)

    def work() -> None:
        while claim := ledger.claim(START, lease=HOUR, owner="thread"):
            ledger.save(claim.version, audited(claim.version), sinks=["files"], at=START)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while claim := ledger.claim(START, lease=HOUR, owner="main"):  # held up for every thread
        ledger.save(claim.version, audited(claim.version), sinks=["files"], at=START)
    assert ledger.states()["done"] == 40
    assert len(ledger.due(START)) == 40
    ledger.close()


def test_ledger_that_vanished_is_one_sentence(file_url, tmp_path):
    ledger = Ledger.open(file_url)
    ledger.close()
    Path(tmp_path / "auditor.db").unlink()
    with pytest.raises(LedgerError, match=r"ledger sqlite://.* cannot be used now: no such table"):
        waiting(ledger)
    ledger.close()


def test_file_is_set_up_to_survive(file_url):
    with closing(Ledger.open(file_url)) as ledger, ledger.engine.connect() as connection:
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA synchronous")) == 2


def test_foreign_keys_are_checked(ledger):
    orphan = text(
        'INSERT INTO decisions (version_id, accepted, "by", reason, at, via)'
        " VALUES (99, TRUE, 'ann', '', CURRENT_TIMESTAMP, 'command')"
    )
    writing = ledger.engine.execution_options(writes=True)
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"), writing.begin() as connection:
        connection.execute(orphan)
