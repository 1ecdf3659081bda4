"""The OpenAPI document, less what the framework puts into it that is not so here."""

from typing import Any

from fastapi import FastAPI

_FRAMEWORKS_OWN = {"HTTPValidationError", "ValidationError"}


def install(app: FastAPI) -> None:
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        _take_out(document)
        return document

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way


def _take_out(document: dict[str, Any]) -> None:
    """Refusals have the shapes of `problems`: a route names the statuses of its own, 400 or 422."""
    for operations in document["paths"].values():
        for operation in operations.values():
            refusal = operation["responses"].get("422", {}).get("content", {}).get("application/json", {})
            if refusal.get("schema", {}).get("$ref", "").rpartition("/")[2] in _FRAMEWORKS_OWN:
                del operation["responses"]["422"]
    schemas = document.get("components", {}).get("schemas", {})
    for name in _FRAMEWORKS_OWN:
        schemas.pop(name, None)
