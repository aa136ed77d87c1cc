"""Makes an entry's calls, one after the other, and returns every answer. What a tool refuses is an answer too."""

from oacp import ToolError, tools


def answer(call):
    try:
        return {"result": tools.call(call["tool"], **call["arguments"])}
    except ToolError as error:
        return {"error": str(error)}


def run(input):
    for call in input["setup"]:
        tools.call(call["tool"], **call["arguments"])
    return {"id": input["id"], "turns": [[answer(call) for call in turn] for turn in input["turns"]]}
