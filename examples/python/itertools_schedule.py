"""Makes a round-robin schedule of matches, and groups the results by team."""

from collections import deque
from itertools import batched, chain, combinations, groupby, pairwise
from operator import itemgetter


def rounds(teams):
    circle = deque(teams if len(teams) % 2 == 0 else [*teams, None])
    for _ in range(len(circle) - 1):
        half = len(circle) // 2
        pairs = zip(list(circle)[:half], list(circle)[::-1])
        yield [sorted(pair) for pair in pairs if None not in pair]
        first = circle.popleft()
        circle.rotate(1)
        circle.appendleft(first)


def run(input):
    schedule = list(rounds(input["teams"]))
    played = sorted(chain.from_iterable(schedule))
    assert played == sorted(map(sorted, combinations(input["teams"], 2)))
    home = {team: [away for _, away in games] for team, games in groupby(played, key=itemgetter(0))}
    days = list(batched(schedule, 2))
    return {"schedule": schedule, "home": home, "days": len(days), "steps": [b - a for a, b in pairwise(input["marks"])]}
