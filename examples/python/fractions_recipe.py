"""Scales a recipe with exact fractions, and finds simple ones near to any number."""

from fractions import Fraction
from math import gcd, lcm


def mixed(value):
    whole, rest = divmod(value.numerator, value.denominator)
    if rest == 0:
        return str(whole)
    return f"{whole} {rest}/{value.denominator}" if whole else f"{rest}/{value.denominator}"


def run(input):
    factor = Fraction(input["people"], input["for"])
    amounts = {name: Fraction(amount) * factor for name, amount in input["recipe"].items()}
    return {
        "recipe": {name: mixed(amount) for name, amount in amounts.items()},
        "spoon": mixed(Fraction(gcd(*(a.numerator for a in amounts.values())), lcm(*(a.denominator for a in amounts.values())))),
        "near": {number: str(Fraction(number).limit_denominator(input["largest"])) for number in input["numbers"]},
    }
