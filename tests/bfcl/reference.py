"""What the original classes answer to each entry's calls, on this machine's own Python: target/bfcl/reference/<id>.json, with the `turns`
that `agent.py` has to return. An exception is `{"error": "Type: message"}`.

It starts from the benchmark's text, not from the inputs of `agents.py`, and each entry's answers are compared with those of the
benchmark's own executor. Each entry has a process of its own, for the classes change defaults and constants of their modules.
"""

import compileall
import importlib
import json
import multiprocessing
import os
import platform
import shutil
import sys
import time

from fetch import APIS, CODE, PACKAGE

REFERENCE = PACKAGE.parent / "reference"


def answers(question: dict, truth: list[list[str]], category: str) -> list[list[dict]]:
    """An answer for each call of each turn."""
    methods = {}
    for name in question["involved_classes"]:
        instance = getattr(importlib.import_module(f"{'.'.join(CODE.parts)}.{APIS[name]}"), name)()
        if hasattr(instance, "_load_scenario"):
            # JSON once more, so that no state is shared with the question.
            scenario = json.loads(json.dumps(question["initial_config"].get(name, {})))
            instance._load_scenario(scenario, long_context=category == "long_context")
        methods |= {name: getattr(instance, name) for name in dir(instance) if not name.startswith("_")}
    return [[answer(text, methods) for text in turn] for turn in truth]


def answer(text: str, methods: dict) -> dict:
    try:
        value = eval(text, {}, methods)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    try:
        # At once: what is returned is often the state itself, which later calls change.
        return {"result": json.loads(json.dumps(value, allow_nan=False))}
    except (TypeError, ValueError):
        return {"result": str(value)}


def told(question: dict, truth: list[list[str]], category: str) -> list[list[str]]:
    """The texts that the benchmark's own executor gives to a model."""
    from bfcl_eval.eval_checker.multi_turn_eval.multi_turn_utils import execute_multi_turn_func_call

    return [
        execute_multi_turn_func_call(
            turn, question["initial_config"], question["involved_classes"], "model", question["id"], category == "long_context")[0]
        for turn in truth]


def as_told(answer: dict) -> str:
    if "error" in answer:
        return f"Error during execution: {answer['error'].partition(': ')[2]}"
    value = answer["result"]
    return json.dumps(value) if isinstance(value, dict) else str(value)


def work(job):
    kind, *entry = job
    os.environ["TZ"] = "UTC"
    time.tzset()
    sys.path.insert(0, str(PACKAGE))
    return kind(*entry)


def main() -> None:
    from agents import CATEGORIES, entries

    for directory in (PACKAGE / CODE, PACKAGE / "mpmath"):
        compileall.compile_dir(directory, quiet=1)
    jobs = [(question, truth, category) for category in CATEGORIES for question, truth in entries(category)]
    with multiprocessing.get_context("fork").Pool(maxtasksperchild=1) as pool:
        ours = pool.map(work, [(answers, *job) for job in jobs], chunksize=1)
        theirs = pool.map(work, [(told, *job) for job in jobs], chunksize=1)
    shutil.rmtree(REFERENCE, ignore_errors=True)
    REFERENCE.mkdir(parents=True)
    calls = errors = unlike = 0
    for (question, _, _), found, texts in zip(jobs, ours, theirs):
        for turn, spoken in zip(found, texts, strict=True):
            for one, text in zip(turn, spoken, strict=True):
                calls += 1
                errors += "error" in one
                if as_told(one) != text:
                    unlike += 1
                    print(f"{question['id']}: {as_told(one)!r}, and the benchmark's executor says {text!r}", file=sys.stderr)
        said = {"id": question["id"], "python": platform.python_version_tuple(), "turns": found}
        (REFERENCE / f"{question['id']}.json").write_text(json.dumps(said, ensure_ascii=False) + "\n")
    print(f"{len(jobs)} entries, {calls} answers by Python {platform.python_version()}; {errors} of them are exceptions")
    sys.exit(bool(unlike))


if __name__ == "__main__":
    main()
