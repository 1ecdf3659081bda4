"""Submit one prompt and wait for its answer: AICO_API_KEY=... python examples/submit.py "Which port does SSH use?"."""

import os
import sys

import httpx2

API_URL = os.environ.get("COST_OPTIMIZER_API_URL", "http://127.0.0.1:8080")
headers = {"Authorization": f"Bearer {os.environ['AICO_API_KEY']}"}

with httpx2.Client(base_url=API_URL, headers=headers, timeout=30) as client:
    job = client.post("/v1/jobs", json={"prompt": sys.argv[1], "max_tokens": 48}).raise_for_status().json()
    while job["status"] in {"queued", "in_progress"}:
        job = client.get(f"/v1/jobs/{job['id']}", params={"wait": 10}).raise_for_status().json()

if not job.get("answer"):
    sys.exit(f"The job is {job['status']}: {job.get('error')}")
routing = job["routing"]
print(job["answer"]["text"])
print(f"{routing['provider']}/{routing['model']}, cache {routing['cache']}, ", end="")
print(f"{routing['cost_cents']} cents instead of {routing['baseline_cost_cents']}")
