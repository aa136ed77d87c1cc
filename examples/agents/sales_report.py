"""Reports what was sold, from orders in which products are misspelt: queries a CSV file, corrects the names, writes HTML."""

import os
from collections import Counter

from oacp import log, tools


def run(input):
    products = query(input["products"], "SELECT name, price FROM data")
    prices = {name: price for name, price in products}
    orders = query(input["orders"], "SELECT product, sum(quantity) FROM data GROUP BY product ORDER BY product")

    sold, corrected = Counter(), {}
    for name, quantity in orders:
        if name not in prices:
            corrected[name] = nearest(name, list(prices))
        sold[corrected.get(name, name)] += quantity

    total = sum(quantity * prices[name] for name, quantity in sold.items())
    lines = [f"| {name} | {quantity} | {quantity * prices[name]:.2f} |" for name, quantity in sold.most_common()]
    report = ["# Sales", f"**{total:.2f}** in all.", "| product | sold | worth |\n|---|---|---|\n" + "\n".join(lines)]
    return {"corrected": corrected, "html": tools.call("markdown", text="\n\n".join(report))}


def query(path, sql):
    # A tool has a working directory of its own.
    return tools.call("csv_query", path=os.path.abspath(path), sql=sql)["rows"]


def nearest(name, known):
    best = tools.call("spelling.suggest", word=name, dictionary=known, most=1)[0]
    log.info(f"`{name}` is taken for `{best['word']}`, at a distance of {best['distance']}")
    return best["word"]
