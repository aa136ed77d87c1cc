"""The tool @NAME@: what agents are told of it is read off the function's types and docstring."""


def @NAME@(numbers: list[float]) -> float:
    """The mean of some numbers."""
    if not numbers:
        raise ValueError("there are no numbers")
    return sum(numbers) / len(numbers)
