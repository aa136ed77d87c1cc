import json


def run(input):
    rows = [{"id": n, "name": f"row {n}", "tags": ["a", "b", str(n)], "score": n / 7} for n in range(3000)]
    for _ in range(5):
        rows = json.loads(json.dumps(rows))
    return len(rows)
