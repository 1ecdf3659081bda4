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


_FAQ = (
    ("What are your opening hours?", "what are your opening hours?"),
    ("How do I send a tent back?", "How do I send back a tent?"),
    ("Do you deliver to Norway?", "Do you deliver to Norway"),
    ("Which sleeping bag is right for -10 degrees?", "Which sleeping bag is right for minus ten degrees?"),
)
_WORDS = (
    *(
        "tent",
        "pole",
        "zip",
        "seam",
        "rain",
        "wind",
        "storm",
        "dry",
        "warm",
        "cold",
        "late",
        "early",
        "broken",
        "sturdy",
    ),
    *("light", "heavy", "price", "return", "box", "delay", "carrier", "margin", "stock", "winter", "spring", "colour"),
    *("blue", "red", "size", "small", "large", "bag", "boots", "stove", "lamp", "rope", "peg", "floor", "roof", "door"),
)
_TASKS = ("the margins of last quarter", "why returns grow in spring", "the trade-offs between three carriers")


def shop(days: int, *, seed: int = 1) -> Iterator[Json]:
    """A shop's log as LiteLLM writes it: customers' questions, a nightly loop over reviews, analyses with a manual."""
    chance = random.Random(seed)
    manual = " ".join(chance.choice(("rule", "customer", "order", "return", "price", "tent")) for _ in range(3000))
    system = {"role": "system", "content": SYSTEM}
    for day in range(days):
        for number in range(60):
            second, which = 86_400.0 * day + 600 * number + chance.uniform(0, 500), chance.randrange(len(_FAQ))
            common = chance.random() < 0.5
            asked = _FAQ[which][chance.random() < 0.4] if common else f"Where is order {day}-{number}?"
            answer = f"Answer {which}" if common else f"Order {day}-{number} is on its way."
            messages = [system, {"role": "user", "content": asked}]
            yield _listed(messages, answer, second, (300, 60), user=f"customer-{number}-{day}")
        for number in range(150):
            words = f"Is review {day}-{number} kind? {_some(chance, 20)}"
            answer = chance.choice(("Kind.", "Unkind."))
            second = 86_400.0 * day + 60_000 + 3 * number
            yield _listed([{"role": "user", "content": words}], answer, second, (200, 3))
        for number in range(12):
            asked = f"Analyse step by step {chance.choice(_TASKS)}, because we must decide: {_some(chance, 300)}"
            messages = [{"role": "system", "content": manual}, {"role": "user", "content": asked}]
            second = 86_400.0 * day + 70_000 + 100 * number
            opus = {"model": "claude-opus-5-5", "custom_llm_provider": "anthropic"}
            yield _listed(messages, _some(chance, 30), second, (4200, 700), **opus)


def _some(chance: random.Random, count: int) -> str:
    return " ".join(chance.choice(_WORDS) for _ in range(count))


def _listed(messages: list[Json], answer: str, second: float, tokens: tuple[int, int], **fields: Any) -> Json:
    """A call whose cost the log does not tell."""
    counted: Json = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "response_cost": None}
    session: Json = {"session_id": f"{fields.get('user', 'job')}-{int(second // 86_400)}"}
    return spend("", answer, second=second, messages=messages, **counted, **session, **fields)
