"""Finds the shortest way through a network of roads (Dijkstra's method, with a heap)."""

import heapq


def shortest(roads, start, goal):
    queue, done = [(0, start, [start])], set()
    while queue:
        length, place, way = heapq.heappop(queue)
        if place == goal:
            return {"length": length, "way": way}
        if place in done:
            continue
        done.add(place)
        for other, distance in roads.get(place, {}).items():
            if other not in done:
                heapq.heappush(queue, (length + distance, other, [*way, other]))
    return None


def run(input):
    roads = {}
    for a, b, distance in input["roads"]:
        roads.setdefault(a, {})[b] = roads.setdefault(b, {})[a] = distance
    return {f"{start} to {goal}": shortest(roads, start, goal) for start, goal in input["ways"]}
