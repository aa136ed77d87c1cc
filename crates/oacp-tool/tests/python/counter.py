"""State that a kept instance keeps."""

count = 0


def add(number: int = 1) -> int:
    """Adds to what was added before."""
    global count
    count += number
    return count
