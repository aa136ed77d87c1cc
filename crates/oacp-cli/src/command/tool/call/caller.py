"""Calls one tool from the command line, and gives what it gives."""
import oacp


def run(input):
    return oacp.tools.call(input["tool"], **input["arguments"])
