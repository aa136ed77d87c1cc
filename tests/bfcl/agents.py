"""Makes an input of `agent.py` from each entry of the benchmark's multi-turn ground truth: target/bfcl/inputs/<id>.json.

    {"id": …, "setup": [{"tool": …, "arguments": {…}}, …], "turns": [[{"tool": …, "arguments": {…}}, …], …]}
"""

import ast
import collections
import json
import os
import shutil

from fetch import APIS, DATA, PACKAGE
from wrap import definition, public

INPUTS = PACKAGE.parent / "inputs"
CATEGORIES = os.environ.get("CATEGORIES", "base").split()  # of base, long_context, miss_func, miss_param


def entries(category: str) -> list[tuple[dict, list[list[str]]]]:
    """The entries of a category, each with its ground truth: a list of calls, as Python text, for each turn."""
    file = f"BFCL_v4_multi_turn_{category}.json"
    questions, answers = (
        [json.loads(line) for line in (folder / file).read_text().splitlines()] for folder in (DATA, DATA / "possible_answer"))
    truth = {answer["id"]: answer["ground_truth"] for answer in answers}
    return [(question, truth[question["id"]]) for question in questions]


# A method's parameters, in order.
PARAMETERS = {name: {method.name: [arg.arg for arg in method.args.args[1:]] for method in public(definition(name))} for name in APIS}


def call(text: str, classes: list[str]) -> dict:
    expression = ast.parse(text.strip(), mode="eval").body
    if not isinstance(expression, ast.Call) or not isinstance(expression.func, ast.Name):
        raise ValueError(f"`{text}` is no call")
    # A later class has precedence, as in the benchmark; no two have a method of the same name.
    owner = next((name for name in reversed(classes) if expression.func.id in PARAMETERS[name]), None)
    if owner is None:
        raise ValueError(f"`{text}` is of none of {', '.join(classes)}")
    parameters = PARAMETERS[owner][expression.func.id]
    if len(expression.args) > len(parameters):
        raise ValueError(f"`{text}` has too many arguments")
    given = [*zip(parameters, expression.args), *((keyword.arg, keyword.value) for keyword in expression.keywords)]
    arguments = {name: ast.literal_eval(value) for name, value in given}
    if len(arguments) < len(given) or not arguments.keys() <= set(parameters):
        raise ValueError(f"`{text}` has an argument twice, or one that its method does not take")
    if json.loads(json.dumps(arguments)) != arguments:
        raise ValueError(f"`{text}` has an argument that is no JSON")
    return {"tool": f"{APIS[owner]}.{expression.func.id}", "arguments": arguments}


def input_of(question: dict, truth: list[list[str]], category: str) -> dict:
    classes = question["involved_classes"]
    setup = [
        {"tool": f"{APIS[name]}.load_scenario",
         "arguments": {"scenario": question["initial_config"].get(name, {}), "long_context": category == "long_context"}}
        for name in classes if name != "MathAPI"]  # it has no state
    made = {"id": question["id"], "setup": setup, "turns": [[call(text, classes) for text in turn] for turn in truth]}
    json.loads(json.dumps(made), parse_int=exact)
    return made


def exact(digits: str) -> int:
    if abs(int(digits)) >= 2**53:
        raise ValueError(f"{digits} is an integer beyond ±(2^53 − 1), which OACP's JSON refuses")
    return int(digits)


if __name__ == "__main__":
    shutil.rmtree(INPUTS, ignore_errors=True)
    INPUTS.mkdir(parents=True)
    for category in CATEGORIES:
        counted = collections.Counter()
        for question, truth in entries(category):
            try:
                made = input_of(question, truth, category)
            except (SyntaxError, ValueError) as error:
                print(f"{question['id']} is left out: {error}")
                continue
            counted.update(entries=1, calls=sum(map(len, made["turns"])), setup=len(made["setup"]))
            (INPUTS / f"{made['id']}.json").write_text(json.dumps(made, ensure_ascii=False) + "\n")
        print(f"{category}: {counted['entries']} entries with {counted['calls']} calls, and {counted['setup']} of load_scenario")
