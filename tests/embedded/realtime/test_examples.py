"""The examples of docs/realtime.md, run as they stand there."""

import asyncio
import os
import re
import shutil
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from conftest import unavailable
from embedded.auth.conftest import PASSWORD
from embedded.realtime.conftest import MODULES, Live, Person
from embedded.realtime.listening import until

PAGE = Path(__file__).parents[3] / "docs" / "realtime.md"

# What a page has around the examples: names that they take as given, and functions that tell what they are called with.
AROUND = """
import { createRequire } from 'node:module'
const require = createRequire(import.meta.url)
globalThis.WebSocket = require('ws')
Object.assign(globalThis, process.env)
globalThis.draw = (...what) => console.log('draw', ...what)
globalThis.refetch = () => console.log('refetch')
"""
RENDER = """
const babel = require('@babel/standalone')
const { readFileSync, writeFileSync } = require('node:fs')
const { createElement } = require('react')
const { create } = require('react-test-renderer')
const { createClient } = require('@supabase/supabase-js')
const options = { presets: [['react', { runtime: 'automatic' }]] }
writeFileSync('example.mjs', babel.transform(readFileSync('example.jsx', 'utf8'), options).code)
const { Requests } = await import(`${process.cwd()}/example.mjs`)
const supabase = createClient(SUPABASE_URL, SUPABASE_ANON_KEY)
await supabase.auth.signInWithPassword({ email: EMAIL, password: PASSWORD })
await supabase.realtime.setAuth()
const shown = create(createElement(Requests, { supabase, tenant: TENANT, refetch }))
let last = null
let unmounted = false
setInterval(() => {
  const now = shown.toJSON()?.children?.join('') ?? 'nothing'
  if (now !== last) console.log('shows', now)
  last = now
  if (now === '30 requests') {
    shown.unmount()
    unmounted = true
  }
  if (unmounted && supabase.getChannels().length === 0) {
    console.log('left')
    process.exit(0)
  }
}, 10)
"""


def example(language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(found) == 1
    return str(found[0])


@pytest.fixture
def node(tmp_path: Path) -> str:
    """The program, and its modules in the folder of this test."""
    program = shutil.which("node")
    if program is None or not (MODULES / "node_modules" / "react-test-renderer").is_dir():
        unavailable("packages of node are not installed: it takes node, npm and `make test`")
    (tmp_path / "node_modules").symlink_to(MODULES / "node_modules")
    return str(program)


@asynccontextmanager
async def running(live: Live, person: Person, folder: Path, *argv: str) -> AsyncIterator[list[str]]:
    """The lines that the program prints, as they come."""
    environment = {
        "PATH": os.environ["PATH"],
        "SUPABASE_URL": live.url,
        "SUPABASE_ANON_KEY": live.project.publishable,
        "EMAIL": person.email,
        "PASSWORD": PASSWORD,
        "TENANT": str(person.tenant),
    }
    process = await asyncio.create_subprocess_exec(*argv, stdout=PIPE, env=environment, cwd=folder)
    lines: list[str] = []

    async def follow() -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            lines.append(line.decode().rstrip())  # noqa: PERF401 # they are read while they come

    following = asyncio.create_task(follow())
    try:
        yield lines
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await following


def tick(seq: int, at: str, requests: int) -> dict[str, Any]:
    return {"seq": seq, "seconds": [{"at": at, "requests": requests, "cost_cents": "0.5"}]}


async def repeated(action: Callable[[], Any], condition: Callable[[], Any]) -> None:
    """A program that says nothing of its own state is told again until it shows what it was told."""
    async with asyncio.timeout(20):
        while not condition():
            action()
            await asyncio.sleep(0.2)


def test_the_javascript_example_draws_ticks_and_expensive_answers(
    live: Live, ann: Person, bob: Person, node: str, tmp_path: Path
) -> None:
    (tmp_path / "around.mjs").write_text(AROUND)
    (tmp_path / "example.mjs").write_text(f"import './around.mjs'\n{example('js')}")
    sample = (
        "insert into public.answer_samples (tenant_id, job_id, kind, provider, model, latency_ms, cost_cents)"
        " values (%s, gen_random_uuid(), 'call', %s, %s, 1, %s)"
    )

    def answer() -> None:
        live.database.execute(sample, (ann.tenant, "openai", "cheap", "1.99"))
        live.database.execute(sample, (ann.tenant, "google", "other", "5"))
        live.database.execute(sample, (bob.tenant, "openai", "theirs", "5"))
        live.database.execute(sample, (ann.tenant, "openai", "dear", "2.5"))

    async def play() -> None:
        async with running(live, ann, tmp_path, node, "example.mjs") as lines:
            await until(lambda: "refetch" in lines)
            live.send(bob.topic, tick(1, "theirs", 1))
            live.send(ann.topic, tick(1, "first", 1))
            live.send(ann.topic, tick(2, "second", 1))
            live.send(ann.topic, tick(4, "after a gap", 1))
            await until(lambda: "draw after a gap 0.5" in lines)
            ticks = [line for line in lines if "dear" not in line]
            assert ticks == ["refetch", "draw first 0.5", "draw second 0.5", "refetch", "draw after a gap 0.5"]
            await repeated(answer, lambda: "draw dear 2.5" in lines)
            assert not any(word in line for line in lines for word in ("cheap", "other", "theirs"))

    anyio.run(play)


def test_the_react_example_shows_what_ticks_say_and_leaves_with_its_component(
    live: Live, ann: Person, node: str, tmp_path: Path
) -> None:
    (tmp_path / "example.jsx").write_text(example("jsx"))
    (tmp_path / "render.mjs").write_text(AROUND + RENDER)

    async def play() -> None:
        async with running(live, ann, tmp_path, node, "render.mjs") as lines:
            await until(lambda: "shows 0 requests" in lines)
            live.send(ann.topic, tick(1, "a", 10))
            live.send(ann.topic, tick(2, "b", 10))
            live.send(ann.topic, tick(3, "b", 20))
            await until(lambda: "shows 30 requests" in lines)
            assert "refetch" in lines
            await until(lambda: lines[-1] == "left")

    anyio.run(play)


def test_the_python_example_prints_ticks_and_alerts(live: Live, ann: Person, bob: Person, tmp_path: Path) -> None:
    (tmp_path / "example.py").write_text(example("python"))

    async def play() -> None:
        async with running(live, ann, tmp_path, sys.executable, "example.py") as lines:
            await repeated(lambda: live.send(ann.topic, tick(1, "now", 3)), lambda: lines)
            assert set(lines) == {"now 3 requests 0.5 cents"}
            numbers = iter(range(1000))

            def alert() -> None:
                live.alert(bob.tenant, f"theirs {next(numbers)}", kind="quota.threshold_reached")
                live.alert(ann.tenant, f"ours {next(numbers)}")

            await repeated(alert, lambda: "alert: spend.anomaly" in lines)
            assert "alert: quota.threshold_reached" not in lines

    anyio.run(play)
