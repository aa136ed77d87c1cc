"""The public holidays that a whole country has, since 2018: those of a date, by month and day, and those that move, by days after Easter."""

from datetime import date, timedelta
from typing import Literal

Country = Literal["DE", "FR"]

HOLIDAYS = {
    "DE": (
        {
            (1, 1): "Neujahr",
            (5, 1): "Tag der Arbeit",
            (10, 3): "Tag der Deutschen Einheit",
            (12, 25): "Erster Weihnachtstag",
            (12, 26): "Zweiter Weihnachtstag",
        },
        {-2: "Karfreitag", 1: "Ostermontag", 39: "Christi Himmelfahrt", 50: "Pfingstmontag"},
    ),
    "FR": (
        {
            (1, 1): "Jour de l’An",
            (5, 1): "Fête du Travail",
            (5, 8): "Victoire 1945",
            (7, 14): "Fête nationale",
            (8, 15): "Assomption",
            (11, 1): "Toussaint",
            (11, 11): "Armistice 1918",
            (12, 25): "Noël",
        },
        {1: "Lundi de Pâques", 39: "Ascension", 50: "Lundi de Pentecôte"},
    ),
}


def easter(year: int) -> date:
    """Easter Sunday, by Gauss's rule for the years from 1900 to 2099."""
    golden = year % 19
    moon = (19 * golden + 24) % 30
    days = moon + (2 * (year % 4) + 4 * (year % 7) + 6 * moon + 5) % 7
    if days == 35 or days == 34 and moon == 28 and golden > 10:
        days -= 7  # never after 25 April, nor on it twice within 19 years
    return date(year, 3, 22) + timedelta(days)
