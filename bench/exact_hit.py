"""Exact hits: prompts whose answers are cached, again and letter for letter, to POST /v1/chat."""

from dataclasses import replace

from bench.measure import Row, at_least, measure
from bench.product import Product

_AIM_PER_SECOND = 2000


def rows(product: Product, *, callers: int, seconds: float) -> list[Row]:
    product.fill_cache("exact")
    load = product.load("/v1/chat", expect='"cache":"exact"', callers=callers, seconds=seconds)
    return [
        at_least(
            measure("exact hit", replace(load, prompts="repeated"), product.groups, product.settle), _AIM_PER_SECOND
        )
    ]
