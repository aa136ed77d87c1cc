"""Asks questions of a table with SQL; the database lives in memory."""

import sqlite3


def run(input):
    with sqlite3.connect(":memory:") as database:
        database.row_factory = sqlite3.Row
        database.execute("create table orders (customer text, item text, price real, placed text)")
        database.executemany("insert into orders values (:customer, :item, :price, :placed)", input["orders"])
        rows = database.execute(
            """
            select customer, count(*) as orders, round(sum(price), 2) as spent, max(placed) as latest
            from orders group by customer order by spent desc
            """
        )
        return [dict(row) for row in rows]
