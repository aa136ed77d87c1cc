"""Sums a CSV file by one of its columns and writes a CSV of the sums."""

import csv
import io
from collections import defaultdict
from decimal import Decimal


def run(input):
    totals = defaultdict(Decimal)
    for row in csv.DictReader(io.StringIO(input["csv"])):
        totals[row[input["by"]]] += Decimal(row["amount"])
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow([input["by"], "amount"])
    for key in sorted(totals):
        writer.writerow([key, totals[key]])
    return output.getvalue()
