"""Lines of logs as the programs write them that are read here, and a made-up log whose repeats are known."""

import json
import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

Json = dict[str, Any]
START = datetime(2026, 10, 5, 9, 0, tzinfo=UTC)
SYSTEM = "You answer customers of a shop for camping gear."


def pair(
    question: str, answer: str = "Yes.", *, second: float = 0, tokens: tuple[int, int] = (1000, 100), **body: Any
) -> Json:
    """A request and its response. GPT-5.4 costs 2.50 and 15 dollars a million: 0.40 cents for these tokens."""
    asked = {"model": "gpt-5.4", "messages": [{"role": "user", "content": question}], **body}
    usage = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1]}
    created = int((START + timedelta(seconds=second)).timestamp())
    choice = {"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}
    return {
        "created_at": created,
        "request": asked,
        "response": {
            "object": "chat.completion",
            "created": created,
            "model": asked["model"],
            "choices": [choice],
            "usage": usage,
        },
    }


def spend(question: str, answer: str = "Yes.", *, second: float = 0, seconds: float = 1, **fields: Any) -> Json:
    """LiteLLM's payload of a call that cost half a cent."""
    at = START + timedelta(seconds=second)
    return {
        "id": f"call-{second}",
        "call_type": "acompletion",
        "status": "success",
        "model": "gpt-5.4",
        "custom_llm_provider": "openai",
        "messages": [{"role": "user", "content": question}],
        "model_parameters": {},
        "response": {"choices": [{"message": {"role": "assistant", "content": answer}}]},
        "response_cost": 0.005,
        "prompt_tokens": 1000,
        "completion_tokens": 100,
        "startTime": at.timestamp(),
        "endTime": (at + timedelta(seconds=seconds)).timestamp(),
        "cache_hit": None,
        **fields,
    }


def generation(question: str, answer: str = "Yes.", *, second: float = 0, **fields: Any) -> Json:
    """Langfuse's observation of a call that cost half a cent."""
    at = START + timedelta(seconds=second)
    return {
        "id": f"observation-{second}",
        "traceId": f"trace-{second}",
        "type": "GENERATION",
        "startTime": at.isoformat().replace("+00:00", "Z"),
        "endTime": (at + timedelta(seconds=1)).isoformat().replace("+00:00", "Z"),
        "model": "gpt-5.4",
        "modelParameters": {},
        "input": [{"role": "user", "content": question}],
        "output": {"role": "assistant", "content": answer},
        "usageDetails": {"input": 1000, "output": 100, "total": 1100},
        "costDetails": {"input": 0.0025, "output": 0.0025, "total": 0.005},
        **fields,
    }


def write(path: Path, lines: Iterable[Json]) -> Path:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    return path


def traffic(calls: int, *, repeats: float, sessions: int, seed: int) -> Iterator[Json]:
    """`repeats` of the calls ask one of the questions again; each session repeats by a taste of its own."""
    chance = random.Random(seed)
    tastes = [chance.betavariate(4 * repeats, 4 * (1 - repeats)) for _ in range(sessions)]
    for number in range(calls):
        session = chance.randrange(sessions)
        again = chance.random() < tastes[session]
        question = "What are your opening hours?" if again else f"What became of order {number:06d}?"
        yield spend(question, second=60.0 * number, session_id=f"session-{session}")
