"""Finds e-mail addresses, links and amounts of money in a text."""

import re

PATTERNS = {
    "emails": r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    "links": r"https?://[^\s)>\"]+",
    "amounts": r"(?:€|\$|£)\s?\d{1,3}(?:[.,]?\d{3})*(?:[.,]\d{2})?",
}


def run(input):
    found = {name: re.findall(pattern, input["text"]) for name, pattern in PATTERNS.items()}
    found["redacted"] = re.sub(PATTERNS["emails"], lambda match: "*" * len(match[0]), input["text"])
    return found
