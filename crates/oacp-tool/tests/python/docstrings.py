"""Descriptions of parameters in the three ways that people write them; Annotated goes before all."""

from typing import Annotated


def google(city: str, days: int = 1, *, unit: str = "C", **more: str) -> str:
    """Looks up a forecast.

    What it says is made up.

    Args:
        city (str): Where: a city,
            or a village.

            Its name in English.
        days: How far ahead.

    Keyword Args:
        unit (Literal["C", "F"], optional): In which unit.
        **more: Anything else.

    Raises:
        ValueError: if there is no such city.
    """
    return city


def numpy(x: float, y: float, label: str = "", rest: str = "") -> float:
    """
    Adds two numbers.

    Parameters
    ----------
    x, y : float
        The numbers.
    label : str, optional
        What they are,
        in words.

    Returns
    -------
    float
        The sum.

    Other Parameters
    ----------------
    rest
        Not used.
    """
    return x + y


def rest(path: str, depth: int = 0) -> str:
    """Walks a path.

    :param str path: Where it starts,
        from the root.
    :param depth: How deep it goes
    :type depth: int
    :returns: the last name
    :rtype: str
    """
    return path


def annotated(city: Annotated[str, "The city"], day: Annotated[int, "The day, from 0"] = 0) -> Annotated[str, "A sentence"]:
    """Says one thing.

    Args:
        city: not this
    """
    return city


def prose(text: str) -> str:
    """Parameters: none are described here, and `Args:` is a word like any other.

    Note: a colon makes no section.
    """
    return text


def stray(text: str) -> str:
    """Describes what it does not have.

    Args:
        txt: The text.
    """
    return text
