"""The smallest agent: its result is its input."""


def run(input):
    return input
