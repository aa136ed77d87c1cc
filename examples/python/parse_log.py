"""Reads the lines of a web server's log and counts requests by path and by status."""

import re
from collections import Counter

LINE = re.compile(r'(?P<host>\S+) \S+ \S+ \[(?P<time>[^]]+)] "(?P<method>\w+) (?P<path>\S+) [^"]*" (?P<status>\d+) (?P<size>\d+|-)')


def run(input):
    paths, statuses, size, unread = Counter(), Counter(), 0, []
    for number, line in enumerate(input["log"].splitlines(), 1):
        match = LINE.match(line)
        if match is None:
            unread.append(number)
            continue
        paths[match["path"]] += 1
        statuses[match["status"]] += 1
        if match["size"] != "-":
            size += int(match["size"])
    return {
        "paths": dict(paths.most_common()),
        "statuses": dict(sorted(statuses.items())),
        "bytes": size,
        "unread_lines": unread,
    }
