"""Submitting: distinct prompts to POST /v1/jobs, each a durable row. The workers stand still meanwhile."""

from bench.measure import Row, at_least, measure
from bench.product import Product

_AIM_PER_SECOND = 2000


def rows(product: Product, *, callers: int, seconds: float) -> list[Row]:
    product.empty()
    load = product.load("/v1/jobs", expect='"queued"', callers=callers, seconds=seconds, cache="off")
    with product.paused_workers():
        found = measure("submit", load, product.groups)
        product.empty()
    return [at_least(found, _AIM_PER_SECOND)]
