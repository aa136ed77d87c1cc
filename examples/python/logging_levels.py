"""Everything an agent prints or logs becomes a part of its record, line by line."""

import logging
import sys

log = logging.getLogger("agent")


def run(input):
    print("starting")
    for number in input["numbers"]:
        if number < 0:
            log.warning("left out: %d", number)
        else:
            log.info("taken: %d", number)
    print("finished", file=sys.stderr)
    return sum(number for number in input["numbers"] if number >= 0)
