"""The OpenAPI document, written once for all tests that read it: it takes a second."""

from functools import cache
from typing import Any

from aico.api.app import create_app
from aico.core.settings import Settings


@cache
def document() -> dict[str, Any]:
    return create_app(Settings(_env_file=None)).openapi()  # type: ignore[call-arg] # pydantic-settings' own argument
