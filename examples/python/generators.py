"""Streams without end: generators and `yield from`."""

from itertools import islice, takewhile


def primes():
    multiples = {}
    number = 2
    while True:
        factors = multiples.pop(number, None)
        if factors is None:
            yield number
            multiples[number * number] = [number]
        else:
            for factor in factors:
                multiples.setdefault(number + factor, []).append(factor)
        number += 1


def flatten(tree):
    for node in tree:
        if isinstance(node, list):
            yield from flatten(node)
        else:
            yield node


def run(input):
    return {
        "first": list(islice(primes(), input["count"])),
        "below": list(takewhile(lambda prime: prime < input["below"], primes())),
        "flat": list(flatten(input["tree"])),
    }
