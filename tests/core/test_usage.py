import json
import math

from aico.core.usage import Usage


def test_what_json_has_no_word_for_is_kept_as_text() -> None:
    usage = Usage(raw={"cost": math.nan, "details": [{"upstream": -math.inf}], "prompt_tokens": 3})
    assert usage.raw == {"cost": "NaN", "details": [{"upstream": "-Infinity"}], "prompt_tokens": 3}
    assert json.loads(json.dumps(usage.raw, allow_nan=False)) == usage.raw


def test_parts_are_not_counted_twice() -> None:
    usage = Usage(input_uncached=1, cache_read=2, cache_write=4, cache_write_1h=3, output=8, reasoning=5)
    assert (usage.input_total, usage.total) == (7, 15)
