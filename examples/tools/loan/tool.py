"""Works out what a loan costs, to the cent, as its contract would."""

import calendar
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, NamedTuple

CENT = Decimal("0.01")


class Between(NamedTuple):
    """Bounds of a number, for its schema."""

    ge: int
    le: int


@dataclass(frozen=True)
class Payment:
    """One month's payment."""

    due: date
    interest: Decimal
    repaid: Decimal
    owed: Annotated[Decimal, "What is owed after it"]


@dataclass(frozen=True)
class Plan:
    """The whole of a loan."""

    payment: Annotated[Decimal, "Of each month but the last, which settles what is left"]
    interest: Annotated[Decimal, "The sum over all months"]
    payments: list[Payment]


def loan(
    amount: Annotated[Decimal, "What is borrowed"],
    rate: Annotated[Decimal, "Interest of a year, in percent"],
    months: Annotated[int, Between(1, 600), "How many payments repay it"],
    first: Annotated[date, "When the first is due; the others are on the same day of the months after it"],
) -> Plan:
    """Makes the repayment plan of a loan with equal monthly payments."""
    if amount < CENT or rate < 0:
        raise ValueError("a loan is of at least 0.01, and its rate is not below 0")
    owed = _cents(amount)
    payment = _cents(_annuity(owed, rate / 1200, months))
    payments = []
    for month in range(months):
        if not owed:
            break  # what was rounded up has repaid it sooner
        interest = _cents(owed * rate / 1200)
        repaid = owed if month == months - 1 else min(payment - interest, owed)
        owed -= repaid
        payments.append(Payment(_months_after(first, month), interest, repaid, owed))
    return Plan(payment, sum(one.interest for one in payments), payments)


def _annuity(amount: Decimal, rate: Decimal, months: int) -> Decimal:
    return amount * rate / (1 - (1 + rate) ** -months) if rate else amount / months


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


def _months_after(day: date, months: int) -> date:
    """The same day of a later month, or its last if it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return day.replace(year=year, month=month + 1, day=min(day.day, calendar.monthrange(year, month + 1)[1]))
