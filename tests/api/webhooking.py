"""Endpoints as a team adds them over HTTP."""

from typing import Any

import httpx2

PATH = "/v1/webhooks"
URL = "https://hooks.example.com/aico"


def add(api: httpx2.Client, **request: Any) -> dict[str, Any]:
    response = api.post(PATH, json={"url": URL, **request})
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made
