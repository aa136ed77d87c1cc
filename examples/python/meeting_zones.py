"""Shows one moment in several time zones, daylight saving time included."""

from datetime import datetime
from zoneinfo import ZoneInfo


def run(input):
    answer = []
    for moment in input["moments"]:
        local = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(input["home"]))
        there = {zone: local.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes") for zone in input["zones"]}
        answer.append({"at_home": local.isoformat(timespec="minutes"), "name": local.tzname(), "elsewhere": there})
    return answer
