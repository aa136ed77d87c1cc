"""Makes a month's calendar and finds working days between two dates."""

import calendar
from datetime import date, timedelta


def working_days(first, last, holidays):
    day = first
    while day <= last:
        if day.weekday() < 5 and day not in holidays:
            yield day
        day += timedelta(days=1)


def run(input):
    year, month = input["year"], input["month"]
    holidays = {date.fromisoformat(day) for day in input["holidays"]}
    first = date(year, month, 1)
    last = date(year, month, calendar.monthrange(year, month)[1])
    days = list(working_days(first, last, holidays))
    return {
        "calendar": calendar.TextCalendar().formatmonth(year, month).splitlines(),
        "working_days": len(days),
        "last_working_day": days[-1].strftime("%A, %d %B %Y"),
        "iso_week": first.isocalendar().week,
        "leap_year": calendar.isleap(year),
    }
