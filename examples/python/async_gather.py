"""Runs several waits at once: the whole takes as long as the longest, not as the sum."""

import asyncio


async def fetch(name, seconds, finished):
    await asyncio.sleep(seconds)
    finished.append(name)
    return f"{name} took {seconds} s"


async def run(input):
    finished = []
    results = await asyncio.gather(*(fetch(job["name"], job["seconds"], finished) for job in input["jobs"]))
    return {"results": results, "finished": finished}
