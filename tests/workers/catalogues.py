"""Catalogues for models that a local server plays."""

from collections.abc import Iterable


def catalogue(
    models: Iterable[tuple[str, float, float]], *, provider: str = "local", capabilities: Iterable[str] = ()
) -> str:
    """TOML for `CATALOGUE_FILE`. A model is its name, its rank, and dollars for a million tokens of either kind."""
    listed = ", ".join(f'"{capability}"' for capability in capabilities)
    return "".join(
        f"""
[[models]]
id = "{name}"
provider = "{provider}"
provider_model = "{name}"
quality = {rank}
context_window = 100000
max_output = 4000
capabilities = [{listed}]

[[prices]]
provider = "{provider}"
model = "{name}"
from = 2000-01-01
input = "{price}"
output = "{price}"
"""
        for name, rank, price in models
    )
