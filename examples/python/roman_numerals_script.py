"""A script with `main()` behind the usual guard is a plain script, too."""

import json
import sys

NUMERALS = [(1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"),
            (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")]


def roman(number):
    text = ""
    for value, numeral in NUMERALS:
        count, number = divmod(number, value)
        text += numeral * count
    return text


def main():
    for number in json.load(sys.stdin):
        print(number, roman(number))


if __name__ == "__main__":
    main()
