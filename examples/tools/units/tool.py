"""Converts between units of measure. Each factor is exact by definition; only the result is rounded, once."""

from enum import Enum
from fractions import Fraction
from typing import Annotated


class Unit(Enum):
    """A unit of length, area, volume, mass, speed or temperature."""

    # symbol, quantity, what one of it is in the quantity's base unit, and where its zero is on that scale
    MILLIMETRE = "mm", "length", "0.001"
    CENTIMETRE = "cm", "length", "0.01"
    METRE = "m", "length", "1"
    KILOMETRE = "km", "length", "1000"
    INCH = "in", "length", "0.0254"
    FOOT = "ft", "length", "0.3048"
    YARD = "yd", "length", "0.9144"
    MILE = "mi", "length", "1609.344"
    NAUTICAL_MILE = "nmi", "length", "1852"

    SQUARE_METRE = "m2", "area", "1"
    HECTARE = "ha", "area", "10000"
    SQUARE_KILOMETRE = "km2", "area", "1000000"
    SQUARE_FOOT = "ft2", "area", "0.09290304"
    ACRE = "acre", "area", "4046.8564224"

    MILLILITRE = "ml", "volume", "0.001"
    LITRE = "l", "volume", "1"
    CUBIC_METRE = "m3", "volume", "1000"
    US_GALLON = "us_gal", "volume", "3.785411784"
    IMPERIAL_GALLON = "imp_gal", "volume", "4.54609"

    GRAM = "g", "mass", "0.001"
    KILOGRAM = "kg", "mass", "1"
    TONNE = "t", "mass", "1000"
    OUNCE = "oz", "mass", "0.028349523125"
    POUND = "lb", "mass", "0.45359237"

    METRES_PER_SECOND = "m/s", "speed", "1"
    KILOMETRES_PER_HOUR = "km/h", "speed", "5/18"
    MILES_PER_HOUR = "mph", "speed", "0.44704"
    KNOT = "kn", "speed", "463/900"

    KELVIN = "K", "temperature", "1"
    CELSIUS = "degC", "temperature", "1", "273.15"
    FAHRENHEIT = "degF", "temperature", "5/9", "45967/180"

    def __new__(cls, symbol, quantity, factor, zero="0"):
        unit = object.__new__(cls)
        unit._value_ = symbol
        unit.quantity = quantity
        unit.factor = Fraction(factor)
        unit.zero = Fraction(zero)
        return unit


def units(
    value: Annotated[float, "How many of `unit`"],
    unit: Annotated[Unit, "What the value is in"],
    to: Annotated[Unit, "What it is to be in"],
) -> float:
    """Converts a value from one unit of measure to another of the same quantity."""
    if unit.quantity != to.quantity:
        raise ValueError(f"{unit.value} measures {unit.quantity}, and {to.value} measures {to.quantity}")
    # By its digits: the float nearest to 0.1 is not 1/10.
    return float((Fraction(repr(value)) * unit.factor + unit.zero - to.zero) / to.factor)
