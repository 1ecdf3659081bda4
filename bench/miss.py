"""Full misses: unlike prompts through every hop to a provider, and the same provider called directly beside it."""

from bench.load import PLACE, Load
from bench.measure import Row, adding_at_most, measure
from bench.mock_provider import model_name
from bench.product import DELAYS_MS, Product

_CALLERS = (1, 16)
_AIM_ADDED_MS = 20.0


def rows(product: Product, *, seconds: float) -> list[Row]:
    found = []
    for delay_ms in DELAYS_MS:
        for callers in _CALLERS:
            direct = _direct(product, delay_ms, callers, seconds)
            product.empty()
            load = product.load(
                "/v1/chat", expect='"cache":"miss"', callers=callers, seconds=seconds, delay_ms=delay_ms
            )
            missed = measure(f"miss, provider {delay_ms} ms", load, product.groups, product.settle)
            found += [direct, adding_at_most(missed, direct, _AIM_ADDED_MS if callers == 1 else None)]
    return found


def _direct(product: Product, delay_ms: int, callers: int, seconds: float) -> Row:
    body = f'{{"model": "{model_name(delay_ms)}", "messages": [{{"role": "user", "content": "{PLACE}"}}]}}'
    load = Load(product.mock_port, "/v1/chat/completions", body, '"stop"', callers, seconds, {})
    return measure(f"provider {delay_ms} ms directly", load, {})
