"""Plain types, defaults, and a function that waits."""

import asyncio


def forecast(city: str, days: int = 3, celsius: bool = True, above: float = 0.5, note: None = None) -> str:
    """Says what the weather in a city will be.

    It is always fine.

    Args:
        city: The city's name,
            in English.
        days (int, optional): How many days ahead.
        celsius: Whether in degrees Celsius.

    Returns:
        A sentence.
    """
    return f"{city}: fine for {days} days ({celsius}, {above}, {note})"


async def slowly(seconds: float) -> float:
    """Waits, and says how long."""
    await asyncio.sleep(seconds)
    return seconds


def _hidden(x):
    return x
