"""Builds a large document, writes it as JSON, reads it again and sums it up."""

import hashlib
import json


def run(input):
    rows = [
        {"id": i, "name": f"row {i}", "tags": [f"t{i % 7}", f"t{i % 11}"], "value": i * i / 8, "text": "äöü " * (i % 5)}
        for i in range(input["rows"])
    ]
    text = json.dumps(rows, ensure_ascii=False)
    again = json.loads(text)
    return {
        "characters": len(text),
        "same": again == rows,
        "sum": sum(row["value"] for row in again),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "last": again[-1],
    }
