"""FastAPI, for uvicorn: what the study piece was built on, but not blocking."""

import asyncio

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def root() -> list[str]:
    """Answer at once."""
    return ["wait time: 0sec"]


@app.get("/held")
async def held() -> list[str]:
    """Answer after 3 s."""
    await asyncio.sleep(3)
    return ["wait time: 3sec"]
