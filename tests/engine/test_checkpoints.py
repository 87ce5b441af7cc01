"""What stands in the file `-wal` is taken over into the database beside those who write."""

import apsw
import pytest
from support.waiting import wait_for

from mosaic_telemetry.engine.store.sqlite import SqliteStore


class Wal:
    """A database into which bytes are written, and the file in which they stand at first."""

    def __init__(self, database):
        self.path = database
        self.store = SqliteStore(database)
        self.write("CREATE TABLE blobs (data)")

    def write(self, sql):
        self.store._writer.submit(lambda connection: connection.execute(sql)).result()

    def fill(self):
        """More than what is worth taking over, and less than what a commit would wait for."""
        for _ in range(20):
            self.write("INSERT INTO blobs VALUES (randomblob(1000000))")

    def mark(self):
        """Another one each time that SQLite begins the file anew: its number and salt."""
        with self.path.with_name(f"{self.path.name}-wal").open("rb") as file:
            return file.read(32)[12:24]

    def begins_anew(self, mark):
        def written():
            self.write("INSERT INTO blobs VALUES (1)")
            return self.mark() != mark

        wait_for(written, what="a new beginning")


@pytest.fixture
def wal(tmp_path):
    wal = Wal(tmp_path / "t.db")
    yield wal
    wal.store.close()


def test_what_was_written_is_taken_over_and_the_file_begins_anew(wal):
    for _ in range(2):
        mark = wal.mark()
        wal.fill()
        wal.begins_anew(mark)
    assert wal.path.stat().st_size > 30_000_000
    wal.store.close()
    assert not wal.path.with_name("t.db-wal").exists()
    with apsw.Connection(str(wal.path)) as connection:
        assert connection.execute("SELECT count(*) FROM blobs WHERE length(data) = 1000000").get == 40
        assert connection.execute("PRAGMA integrity_check").get == "ok"


def test_who_reads_for_long_puts_it_off_and_nothing_more(wal):
    reader = apsw.Connection(str(wal.path))
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM blobs").get == 0
    mark = wal.mark()
    for _ in range(3):
        wal.fill()
    assert wal.mark() == mark
    assert reader.execute("SELECT count(*) FROM blobs").get == 0
    reader.close()
    wal.begins_anew(mark)


def test_at_the_end_commits_take_over_what_is_due(wal):
    wal.store._checkpointer.close()
    mark = wal.mark()
    wal.fill()
    assert wal.mark() != mark
