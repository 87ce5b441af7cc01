"""A next version of the program, made of this one: another version number, and one more step of the tables."""

import re
import shutil
from pathlib import Path

import apsw

import mosaic_telemetry
from mosaic_telemetry.engine.store.clickhouse.address import SCHEME, Address
from mosaic_telemetry.engine.store.opening import is_url
from support.postgres import rows

NEXT_VERSION = "99.0.0"
ADDED_COLUMN, ADDED_TABLE = "added_later", "made_later"
_OURS = Path(mosaic_telemetry.__file__).parent
_POSTGRES_TABLES = """
SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace
AND relname <> 'mosaic_telemetry_tables'
"""
_SQLITE_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"


def tables_of(database):
    """The names of all our tables in a database; of ClickHouse, in the one beside it."""
    if str(database).startswith(SCHEME):
        return tables_of(Address.parse(database).accounts)
    if is_url(database):
        return sorted(row[0] for row in rows(database, _POSTGRES_TABLES))
    connection = apsw.Connection(str(database))
    try:
        return sorted(row[0] for row in connection.execute(_SQLITE_TABLES))
    finally:
        connection.close()


def make_next_version(folder, database):
    """Put the next version into a folder, to be run by PYTHONPATH: its step adds what a step may add, to every table that there is."""
    shutil.copytree(_OURS, folder / "mosaic_telemetry", ignore=shutil.ignore_patterns("__pycache__"))
    version = folder / "mosaic_telemetry" / "_version.py"
    version.write_text(re.sub(r'__version__ = ".*"', f'__version__ = "{NEXT_VERSION}"', version.read_text()))
    step = "".join(f"ALTER TABLE {table} ADD COLUMN {ADDED_COLUMN} INTEGER NOT NULL DEFAULT 7;\n" for table in tables_of(database))
    step += f"CREATE TABLE {ADDED_TABLE} (number INTEGER PRIMARY KEY);\n"
    for store in ("sqlite", "postgres"):
        path = folder / "mosaic_telemetry" / "engine" / "store" / store / "migrations.py"
        text, count = re.subn(r"^STEPS = \((.*?),?\)$", rf'STEPS = (\1, """\n{step}""")', path.read_text(), flags=re.MULTILINE)
        assert count == 1, path
        path.write_text(text)
    return folder
