"""OpenAI's client at another address: AICO_API_KEY=... python examples/openai_client.py "What is a queue?"."""

import os
import sys

from openai import OpenAI

API_URL = os.environ.get("COST_OPTIMIZER_API_URL", "http://127.0.0.1:8080")
client = OpenAI(base_url=f"{API_URL}/v1", api_key=os.environ["AICO_API_KEY"])

stream = client.chat.completions.create(
    model="auto",
    messages=[{"role": "user", "content": sys.argv[1]}],
    max_completion_tokens=48,
    stream=True,
    stream_options={"include_usage": True},
    extra_body={"aico": {"tags": ["example"]}},  # what OpenAI has no field for
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
    else:  # the last one: how the answer came about
        how = (chunk.model_extra or {})["aico"]
        print(f"\n{how['provider']}/{how['model']}, cache {how['cache']}, ", end="")
        print(f"{how['cost_cents']} cents instead of {how['baseline_cost_cents']}")
