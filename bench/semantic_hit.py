"""Semantic hits: cached prompts in other capitals and punctuation to POST /v1/chat, found by their vectors."""

from dataclasses import replace

from bench.measure import Row, measure, within
from bench.product import Product

_AIM_MS = 15.0  # of one caller


def rows(product: Product, *, callers: int, seconds: float) -> list[Row]:
    product.fill_cache("semantic")
    load = product.load("/v1/chat", expect='"cache":"semantic"', callers=callers, seconds=seconds)
    many = replace(load, prompts="paraphrased")
    one = measure("semantic hit", replace(many, callers=1), product.groups, product.settle)
    return [within(one, _AIM_MS), measure("semantic hit", many, product.groups, product.settle)]
