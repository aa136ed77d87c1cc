"""An agent: `run` is handed the input and returns the result, both JSON."""

from oacp import log


def run(input):
    name = (input or {}).get("name", "world")
    log.info(f"greeting {name}")
    return {"greeting": f"Hello, {name}!"}
