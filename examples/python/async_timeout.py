"""Gives each job a time limit, and tells which ones kept it."""

import asyncio


async def job(seconds):
    await asyncio.sleep(seconds)
    return seconds


async def within(limit, seconds):
    try:
        async with asyncio.timeout(limit):
            return {"seconds": await job(seconds), "in_time": True}
    except TimeoutError:
        return {"seconds": seconds, "in_time": False}


async def run(input):
    return [await within(input["limit"], seconds) for seconds in input["jobs"]]
