"""Has 129 functions."""

for _number in range(129):
    exec(f"def tool{_number}() -> None: 'Does nothing.'")
