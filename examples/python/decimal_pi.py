"""Works out π to any number of digits with decimal arithmetic (Gauss and Legendre's method)."""

from decimal import Decimal, localcontext


def pi(digits):
    with localcontext() as context:
        context.prec = digits + 10
        a, b, t, p = Decimal(1), 1 / Decimal(2).sqrt(), Decimal("0.25"), Decimal(1)
        for _ in range(digits.bit_length() + 1):
            a, b, t, p = (a + b) / 2, (a * b).sqrt(), t - p * ((a - b) / 2) ** 2, 2 * p
        value = (a + b) ** 2 / (4 * t)
    return str(value)[:digits + 2]


def run(input):
    return {str(digits): pi(digits) for digits in input["digits"]}
