"""A pipeline of producers and workers over a queue; one failure cancels the rest."""

import asyncio


async def worker(queue, squares):
    while (number := await queue.get()) is not None:
        if number < 0:
            raise ValueError(f"negative: {number}")
        await asyncio.sleep(0.001 * number)
        squares.append(number * number)


async def square_all(numbers, workers):
    queue, squares = asyncio.Queue(maxsize=2), []
    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(worker(queue, squares))
        for number in numbers:
            await queue.put(number)
        for _ in range(workers):
            await queue.put(None)
    return sorted(squares)


async def run(input):
    answers = []
    for numbers in input["batches"]:
        try:
            answers.append(await square_all(numbers, input["workers"]))
        except* ValueError as group:
            answers.append([str(error) for error in group.exceptions])
    return answers
