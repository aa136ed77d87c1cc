"""What JSON has only as text."""

from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from uuid import UUID


def texts(at: datetime, day: date, hour: time, id: UUID, price: Decimal, data: bytes, path: Path) -> list[str]:
    """Says what it was given."""
    return [repr(one) if not isinstance(one, Path) else f"Path({str(one)!r})" for one in (at, day, hour, id, price, data, path)]


def defaults(at: datetime = datetime(2026, 1, 2, 3, 4, 5), day: date = date(2026, 1, 2), price: Decimal = Decimal("9.90"),
             data: bytes = b"\x00\xff", path: Path = Path("a/b"), id: UUID = UUID(int=1)) -> bool:
    """Has a default for each."""
    return isinstance(path, Path) and isinstance(price, Decimal)


def back() -> tuple[datetime, date, time, UUID, Decimal, bytes, Path]:
    """Gives one of each."""
    return (datetime(2026, 1, 2, 3, 4, 5), date(2026, 1, 2), time(3, 4), UUID(int=7), Decimal("1E+3"), b"\x00\xff", Path("a/b"))


def one(data: bytes) -> bytes:
    """Turns bytes round."""
    return data[::-1]
