"""Answers questions about a CSV file in SQL."""

import csv
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Annotated, TypedDict

NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
ROWS_MAX = 1000


class Table(TypedDict):
    columns: list[str]
    rows: list[list[str | int | float | None]]


def csv_query(
    path: Annotated[Path, "A CSV file whose first line names the columns"],
    sql: Annotated[str, "One SELECT of SQLite, on the table `data`: SELECT region, sum(amount) FROM data GROUP BY region"],
) -> Table:
    """Runs an SQL query on a CSV file. Columns that hold only numbers are numbers; the others are text, and empty cells are NULL."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.reader(file, strict=True) if row]
    if not rows:
        raise ValueError(f"{path} is empty")
    # The database is this call's own; what SQL could attach to it is no more than the tool may read.
    with closing(sqlite3.connect(":memory:")) as database:
        _load(database, *rows)
        answer = database.execute(sql)
        found = answer.fetchmany(ROWS_MAX + 1)
        if len(found) > ROWS_MAX:
            raise ValueError(f"the answer has more than {ROWS_MAX} rows: use LIMIT, or aggregate")
        return {"columns": [column for column, *_ in answer.description or ()], "rows": [list(row) for row in found]}


def _load(database: sqlite3.Connection, header: list[str], *rows: list[str]) -> None:
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            raise ValueError(f"record {number} has {len(row)} cells, and the header {len(header)}")
    columns = ", ".join(f"{_quoted(name)} {_affinity(cells)}" for name, *cells in zip(header, *rows))
    database.execute(f"CREATE TABLE data ({columns})")
    places = ", ".join("?" for _ in header)
    database.executemany(f"INSERT INTO data VALUES ({places})", ([cell or None for cell in row] for row in rows))


def _affinity(cells: list[str]) -> str:
    """Postal codes like 01067 are no numbers."""
    return "NUMERIC" if all(NUMBER.fullmatch(cell) for cell in cells if cell) else "TEXT"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
