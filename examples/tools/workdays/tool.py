"""Counts and finds workdays: Monday to Friday, without the public holidays of a country."""

from datetime import date, timedelta
from functools import cache
from typing import Annotated, TypedDict

from calendars import HOLIDAYS, Country, easter

DAY = timedelta(days=1)
YEARS = range(2018, 2100)


class Holiday(TypedDict):
    date: date
    name: str


def count(start: date, end: Annotated[date, "Not counted itself"], country: Country) -> int:
    """Counts the workdays from one date up to another."""
    return sum(_is_workday(start + DAY * after, country) for after in range((end - start).days))


def shift(
    day: date,
    workdays: Annotated[int, "How many workdays later; earlier, if negative"],
    country: Country,
) -> date:
    """Finds the date that is some workdays after, or before, another."""
    step = DAY if workdays > 0 else -DAY
    left = abs(workdays)
    while left:
        day += step
        left -= _is_workday(day, country)
    return day


def holidays(year: Annotated[int, "From 2018 to 2099"], country: Country) -> list[Holiday]:
    """Lists a year's nationwide public holidays, in order."""
    if year not in YEARS:
        raise ValueError(f"the holidays of {year} are not known, only those from {YEARS[0]} to {YEARS[-1]}")
    fixed, moving = HOLIDAYS[country]
    found = [Holiday(date=date(year, *day), name=name) for day, name in fixed.items()]
    found += [Holiday(date=easter(year) + DAY * after, name=name) for after, name in moving.items()]
    return sorted(found, key=lambda one: one["date"])


def _is_workday(day: date, country: Country) -> bool:
    return day.weekday() < 5 and day not in _free_days(day.year, country)


@cache
def _free_days(year: int, country: Country) -> set[date]:
    return {one["date"] for one in holidays(year, country)}
