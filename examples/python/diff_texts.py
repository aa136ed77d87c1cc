"""Compares two versions of a text: a unified diff, how alike they are, and near words."""

import difflib


def run(input):
    old, new = input["old"].splitlines(), input["new"].splitlines()
    matcher = difflib.SequenceMatcher(a=input["old"], b=input["new"])
    return {
        "diff": list(difflib.unified_diff(old, new, "old", "new", lineterm="")),
        "alike": round(matcher.ratio(), 6),
        "changes": [[kind, input["old"][a:b], input["new"][c:d]] for kind, a, b, c, d in matcher.get_opcodes() if kind != "equal"],
        "meant": {word: difflib.get_close_matches(word, input["words"]) for word in input["typed"]},
    }
