"""The least that a FastAPI service can do with a prompt: one pydantic body in, one small JSON out.

python -m bench.bare_endpoint PORT
"""

import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from aico.embedded.ports import LOOPBACK


class Prompt(BaseModel):
    prompt: str
    cache: str


class Accepted(BaseModel):
    status: str
    characters: int


app = FastAPI()


@app.post("/v1/jobs", status_code=202)
async def accept(prompt: Prompt) -> Accepted:
    return Accepted(status="queued", characters=len(prompt.prompt))


if __name__ == "__main__":
    # As `aico serve` runs the product's API.
    uvicorn.run(
        app, host=LOOPBACK, port=int(sys.argv[1]), loop="uvloop", http="httptools", log_config=None, access_log=False
    )
