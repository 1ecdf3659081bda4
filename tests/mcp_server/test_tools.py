"""What each tool does, over every transport and in both ages of the protocol."""

import pytest
from mcp_server.conftest import Open, structured

pytestmark = pytest.mark.anyio


async def test_a_question_is_answered_and_the_answer_says_how_it_came_about(door: Open, answered: None) -> None:
    heard: list[tuple[float, str | None]] = []

    async def hear(progress: float, _: float | None, message: str | None) -> None:
        heard.append((progress, message))

    async with door() as client:
        result = await client.call_tool("ask", {"prompt": "What is the capital of France?"}, progress_callback=hear)
        again = structured(await client.call_tool("ask", {"prompt": "What is the capital of France?"}))
    answer = structured(result)
    assert answer["text"] == "Paris."
    assert (answer["provider"], answer["model"], answer["cache"]) == ("local", "smollm2-135m", "miss")
    assert (answer["cost_cents"], answer["saved_cents"], answer["baseline_model"]) == ("0.5", "1.5", "gpt-5.4")
    assert again["cache"] == "exact"
    assert heard
    assert f"job {answer['job_id']}: queued" in (heard[0][1] or "")
    assert [progress for progress, _ in heard] == sorted({progress for progress, _ in heard})
