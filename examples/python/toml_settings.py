"""Reads settings in TOML, lays them over defaults, and checks them."""

import tomllib
from typing import Any

DEFAULTS = {"server": {"port": 8080, "hosts": ["localhost"]}, "debug": False}


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = merge(base[key], value) if both else value
    return merged


def run(input):
    try:
        settings = merge(DEFAULTS, tomllib.loads(input["toml"]))
    except tomllib.TOMLDecodeError as error:
        return {"error": str(error)}
    match settings:
        case {"server": {"port": int(port)}} if 0 < port < 65536:
            return {"settings": {**settings, "since": str(settings.get("since"))}}
        case _:
            return {"error": "server.port is no port"}
