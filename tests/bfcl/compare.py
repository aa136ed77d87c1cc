"""Compares what agents returned with the reference. Usage: compare.py FOLDER, which has an <id>.json with the result of each run.

Alike is: the same JSON, with the same order of keys and the same spelling of numbers (`500.0` is not `500`). Where the original raised an
exception, its message has to be in the error that the agent caught.
"""

import json
import pathlib
import sys

from fetch import CACHE


def rounded(text: str) -> float:
    return float(f"{float(text):.14g}")


def alike(expected: dict, found: dict, python: list[str]) -> bool:
    if "error" in expected:
        return isinstance(found.get("error"), str) and expected["error"].partition(": ")[2] in found["error"]
    texts = [json.dumps(expected), json.dumps(found)]
    if int(python[1]) < 12:
        # Since Python 3.12 `sum` of floats loses less, so that the last digit of a mean may be another one.
        texts = [json.dumps(json.loads(text, parse_float=rounded)) for text in texts]
    return texts[0] == texts[1]


def main(folder: pathlib.Path) -> int:
    calls = unlike = 0
    files = sorted(folder.glob("*.json"))
    for file in files:
        result = json.loads(file.read_text())
        reference = json.loads((CACHE / "reference" / file.name).read_text())
        if [len(turn) for turn in result["turns"]] != [len(turn) for turn in reference["turns"]]:
            print(f"{file.stem}: has other turns than the reference")
            unlike += 1
            continue
        for number, (expected, found) in enumerate(zip(sum(reference["turns"], []), sum(result["turns"], []))):
            calls += 1
            if not alike(expected, found, reference["python"]):
                unlike += 1
                print(f"{file.stem}: call {number}: {json.dumps(found)}, and the reference has {json.dumps(expected)}")
    print(f"{len(files)} entries, {calls} answers; {unlike} are unlike")
    return int(unlike > 0 or not files)


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
