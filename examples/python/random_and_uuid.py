"""Draws lots. Another seed gives another result; the same seed gives the same."""

import random
import secrets
import uuid


def run(input):
    names = list(input["names"])
    random.shuffle(names)
    return {
        "order": names,
        "dice": [random.randint(1, 6) for _ in range(input["dice"])],
        "winner": secrets.choice(names),
        "ticket": str(uuid.uuid4()),
        "gauss": round(random.gauss(0, 1), 6),
    }
