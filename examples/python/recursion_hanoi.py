"""Recursion: the towers of Hanoi, permutations, and a memoised count of ways."""

from functools import cache


def hanoi(disks, source, target, spare):
    if disks:
        yield from hanoi(disks - 1, source, spare, target)
        yield f"{source}→{target}"
        yield from hanoi(disks - 1, spare, target, source)


@cache
def ways_to_pay(amount, coins):
    if amount == 0:
        return 1
    if amount < 0 or not coins:
        return 0
    return ways_to_pay(amount - coins[0], coins) + ways_to_pay(amount, coins[1:])


def permutations(text):
    if len(text) <= 1:
        return [text]
    return [first + rest for i, first in enumerate(text) for rest in permutations(text[:i] + text[i + 1:])]


def run(input):
    return {
        "moves": list(hanoi(input["disks"], "A", "C", "B")),
        "ways": ways_to_pay(input["amount"], tuple(input["coins"])),
        "permutations": permutations(input["letters"]),
    }
