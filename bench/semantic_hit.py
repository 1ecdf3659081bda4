"""Semantic hits: cached prompts in other capitals and punctuation to POST /v1/chat, found by their vectors."""

from dataclasses import replace

from bench.measure import Row, measure
from bench.product import Product


def rows(product: Product, *, callers: int, seconds: float) -> list[Row]:
    product.fill_cache("semantic")
    load = product.load("/v1/chat", expect='"cache":"semantic"', callers=callers, seconds=seconds)
    return [measure("semantic hit", replace(load, prompts="paraphrased"), product.groups, product.settle)]
