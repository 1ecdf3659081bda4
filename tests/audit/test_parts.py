"""Every part of a saving on a small log, against a reckoning by hand. Prices are those of tests/audit/auditing.py."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from audit.auditing import audited, both, model, part
from audit.logs import SYSTEM, generation, pair, shop, spend

from aico.audit.gather import Options
from aico.audit.savings import Question

WEEK = 7 * 86_400
LONG = "Explain step by step why " + "the pressure in a tent changes with height and temperature, " * 60


def test_identical_requests_are_paid_once(tmp_path: Path) -> None:
    """1,000 tokens at 2.50 and 100 at 15 dollars a million: 0.25 + 0.15 = 0.40 cents a call."""
    report = audited(tmp_path, [pair("A"), pair("A", second=60), pair("  A\n", second=120), pair("B", second=180)])
    assert report.log.cents == Decimal("1.6")
    assert (part(report, "exact").calls, part(report, "exact").cents.hopeful) == (2, Decimal("0.8"))
    assert report.total.cents.cautious == report.total.cents.hopeful == Decimal("0.8")


def test_what_was_paid_counts_where_the_log_says_so(tmp_path: Path) -> None:
    """Half a cent each, whatever the list says."""
    lines = [spend("A"), spend("A", second=60), generation("A", second=120)]
    report = audited(tmp_path, lines)
    assert report.log.cents == Decimal("1.5")
    assert part(report, "exact").cents.hopeful == Decimal(1)


def test_an_answer_is_served_from_when_it_is_there_until_its_life_is_over(tmp_path: Path) -> None:
    times = [0, 0.5, 2, WEEK + 0.5, WEEK + 1.5, WEEK + 3]  # each answer takes a second
    report, savings = both(tmp_path, [spend("A", second=second) for second in times])
    assert savings.served.how.tolist() == [0, 0, 1, 1, 0, 1]
    assert part(report, "exact").cents.hopeful == Decimal("1.5")


def test_a_request_that_differs_in_anything_but_who_asks_is_another_one(tmp_path: Path) -> None:
    different = [
        *(pair("A"), pair("a"), pair("A", max_tokens=5), pair("A", model="gpt-5.4-nano"), pair("A", seed=1)),
        *(pair("A", unknown_parameter=1), pair("A", tools=[{"type": "function", "function": {"name": "f"}}])),
        *(pair("A", response_format={"type": "json_object"}), pair("A", tool_choice="none")),
    ]
    same = [pair("A", user="u", metadata={"k": "v"}, stream=True, store=True, prompt_cache_key="p")]
    assert part(audited(tmp_path, different), "exact").calls == 0
    assert part(audited(tmp_path, [pair("A"), *[{**same[0], "created_at": same[0]["created_at"] + 60}]]), "exact").calls


def test_calls_that_ask_for_variety_are_not_cached_unless_one_says_so(tmp_path: Path) -> None:
    lines = [pair("A", second=second, temperature=0.7) for second in (0, 60)]
    report = audited(tmp_path, lines)
    assert (part(report, "exact").calls, report.evidence.varied_calls) == (0, 2)
    assert any("--any-temperature" in warning for warning in report.warnings)
    assert part(audited(tmp_path, lines, options=Options(any_temperature=True)), "exact").calls == 1


def test_a_prefix_that_comes_again_is_written_once_and_then_read(tmp_path: Path) -> None:
    """Seen, written for 2.50 in place of 2 dollars a million, read for 0.20: p * (1.80 - 0.50) / 10,000 cents."""
    system = {"role": "system", "content": "word " * 4000}
    lines = [
        pair(
            "",
            second=second,
            tokens=(4000, 10),
            model="claude-sonnet-5-5",
            messages=[system, {"role": "user", "content": f"Question {second}"}],
        )
        for second in (0, 60, 120, 1000)
    ]
    report, savings = both(tmp_path, lines)
    prefix = part(report, "prefix")
    assert (prefix.calls, prefix.cents.cautious) == (2, prefix.cents.hopeful)
    by_row = savings.hopeful.parts["prefix"]  # type: ignore[index]
    tokens = by_row[2] * 10_000 / 1.80
    assert 3980 < tokens < 4000  # nearly all of the prompt's bytes
    assert by_row[1] == pytest.approx(-tokens * 0.50 / 10_000)
    assert float(prefix.cents.hopeful) == pytest.approx(tokens * 1.30 / 10_000, abs=1e-6)


def test_a_provider_that_caches_by_itself_counts_only_where_the_log_says_that_it_did_not(tmp_path: Path) -> None:
    system = {"role": "system", "content": "word " * 4000}

    def lines(usage: dict[str, object]) -> list[dict[str, object]]:
        made = [
            pair("", second=second, messages=[system, {"role": "user", "content": f"Question {second}"}])
            for second in (0, 60)
        ]
        for line in made:
            line["response"]["usage"] = {"prompt_tokens": 4000, "completion_tokens": 10, **usage}
        return made

    assert part(audited(tmp_path, lines({})), "prefix").calls == 0
    told = part(audited(tmp_path, lines({"prompt_tokens_details": {"cached_tokens": 0}})), "prefix")
    assert (told.calls, told.cents.cautious) == (1, Decimal(0))
    assert told.cents.hopeful > Decimal("0.8")  # nearly 4,000 tokens at 0.25 in place of 2.50 dollars a million
    done = part(audited(tmp_path, lines({"prompt_tokens_details": {"cached_tokens": 4000}})), "prefix")
    assert done.calls == 0


def test_a_short_prefix_is_not_cached(tmp_path: Path) -> None:
    messages = [{"role": "system", "content": SYSTEM}]
    lines = [
        pair("", second=60 * n, model="claude-sonnet-5-5", messages=[*messages, {"role": "user", "content": str(n)}])
        for n in range(4)
    ]
    assert part(audited(tmp_path, lines), "prefix").calls == 0


def test_a_loop_without_people_costs_half_in_a_batch(tmp_path: Path) -> None:
    lines = [pair(f"Classify the review {n}: fine.", second=2 * n) for n in range(120)]
    batch = part(audited(tmp_path, lines), "batch")
    assert (batch.calls, batch.cents.cautious, batch.cents.hopeful) == (120, Decimal(24), Decimal(24))


def test_a_short_burst_may_wait_and_is_only_hoped_for(tmp_path: Path) -> None:
    lines = [pair(f"Classify the review {n}: fine.", second=2 * n) for n in range(30)]
    batch = part(audited(tmp_path, lines), "batch")
    assert (batch.cents.cautious, batch.cents.hopeful) == (Decimal(0), Decimal(6))


@pytest.mark.parametrize(
    "changes",
    [{"stream": True}, {"messages": [{"role": "user", "content": "A"}, {"role": "assistant", "content": "B"}] * 2}],
    ids=["streams", "conversations"],
)
def test_people_wait_for_streams_and_conversations(tmp_path: Path, changes: dict[str, Any]) -> None:
    lines = [pair(f"Question {n}", second=2 * n, **{**changes, "seed": n}) for n in range(120)]
    assert part(audited(tmp_path, lines), "batch").calls == 0


def test_many_users_are_people_and_a_batch_is_one_already(tmp_path: Path) -> None:
    people = [pair(f"Classify the review {n}", second=2 * n, user=f"u{n}") for n in range(120)]
    assert part(audited(tmp_path, people), "batch").calls == 0
    done = [pair(f"Classify the review {n}", second=2 * n) for n in range(120)]
    for line in done:
        line["response"]["service_tier"] = "batch"
    assert part(audited(tmp_path, done), "batch").calls == 0


def test_an_easy_prompt_goes_to_the_cheapest_model_that_is_good_enough(tmp_path: Path) -> None:
    """0.20 and 1.25 dollars a million: 0.02 + 0.0125 cents in place of 0.40."""
    question = Question(models=(model("gpt-5.4"), model("gpt-5.4-nano")))
    route = part(audited(tmp_path, [pair("Hi there")], question), "route")
    assert route.cents.hopeful == route.cents.cautious == Decimal("0.3675")
    assert part(audited(tmp_path, [pair(LONG)], question), "route").calls == 0
    with_floor = Question(models=question.models, floor=0.6)
    assert part(audited(tmp_path, [pair("Hi there")], with_floor), "route").calls == 0


def test_a_discount_that_was_paid_at_stays_one_elsewhere(tmp_path: Path) -> None:
    """Half of the list price was paid, so half of the other list price counts."""
    question = Question(models=(model("gpt-5.4-nano"),))
    report = audited(tmp_path, [spend("Hi there", response_cost=0.002)], question)
    assert part(report, "route").cents.hopeful == Decimal("0.2") - Decimal("0.01625")


def test_a_model_that_cannot_do_what_is_asked_is_not_chosen(tmp_path: Path) -> None:
    question = Question(models=(model("claude-haiku-4-5"),))
    plain, form = pair("Hi there"), pair("Hi there", response_format={"type": "json_object"})
    assert part(audited(tmp_path, [plain], question), "route").calls == 1
    assert part(audited(tmp_path, [form], question), "route").calls == 0  # it promises no bare JSON


def test_an_unknown_price_is_unknown_and_nothing_is_saved_on_it(tmp_path: Path) -> None:
    lines = [pair("A", model="house-llm"), pair("A", model="house-llm", second=60), pair("B")]
    report = audited(tmp_path, lines)
    assert (report.log.calls_without_cost, report.log.cents) == (2, Decimal("0.4"))
    assert next(one for one in report.log.models if one.model == "house-llm").cents is None
    assert part(report, "exact").cents.hopeful == 0
    assert any("house-llm" in warning for warning in report.warnings)


def test_a_gateway_that_writes_zero_knew_no_price(tmp_path: Path) -> None:
    free = [spend("A", response_cost=0.0, model="house-llm", custom_llm_provider="custom")]
    assert audited(tmp_path, free).log.calls_without_cost == 1
    listed = audited(tmp_path, [spend("A", response_cost=0.0)])
    assert listed.log.cents == Decimal("0.4")
    served = audited(tmp_path, [spend("A", response_cost=0.0, cache_hit="True")])
    assert (served.log.cents, served.log.calls_without_cost) == (Decimal(0), 0)


def test_parts_never_save_a_cent_twice(tmp_path: Path) -> None:
    """A loop of easy prompts behind a long prefix, with repeats: every part wants its share of each call."""
    system = {"role": "system", "content": "word " * 4000}
    lines = [
        pair(
            "",
            second=2 * n,
            tokens=(4000, 50),
            model=("claude-sonnet-5-5", "gpt-5.4")[n % 2],
            messages=[system, {"role": "user", "content": f"Is review {n % 90} kind?"}],
        )
        for n in range(240)
    ]
    report, savings = both(tmp_path, lines, Question(models=(model("gpt-5.4-nano"), model("claude-haiku-5-5"))))
    for reading in (savings.cautious, savings.hopeful):
        assert (reading.matrix[-1] <= savings.cost + 1e-9).all()
        assert reading.matrix[:-1].sum(axis=0) == pytest.approx(reading.matrix[-1])
    assert all(part(report, name).calls for name in ("exact", "route", "batch"))
    assert sum(one.cents.hopeful for one in report.parts) == pytest.approx(report.total.cents.hopeful)
    alone = sum(one.alone for one in report.parts if one.alone is not None)
    assert alone > report.total.cents.hopeful


def test_a_log_without_times_has_duplicates_and_says_what_it_lacks(tmp_path: Path) -> None:
    lines = [pair("A"), pair("A"), pair("B")]
    for line in lines:
        del line["created_at"], line["response"]["created"]
    report = audited(tmp_path, lines)
    assert part(report, "exact").cents.hopeful == Decimal("0.4")
    assert (report.log.since, report.evidence.answer_age_seconds) == (None, None)
    assert any("No call says when it was" in warning for warning in report.warnings)


def test_the_log_of_a_shop_has_something_for_every_part_but_the_vectors(tmp_path: Path) -> None:
    """Three days: 180 questions of customers, 450 reviews in a nightly loop, 36 analyses behind a manual."""
    models = (model("claude-opus-5-5"), model("claude-haiku-5-5"), model("gpt-5.4"), model("gpt-5.4-nano"))
    report = audited(tmp_path, shop(3), Question(models=models))
    assert report.log.calls == 3 * (60 + 150 + 12)
    alone = {one.name: one.alone for one in report.parts}
    assert all(cents is not None and cents > 0 for cents in alone.values())
    assert part(report, "batch").calls == 450
    assert report.total.cents.low <= min(report.total.cents.cautious, report.total.cents.hopeful)
    assert report.total.cents.high >= max(report.total.cents.cautious, report.total.cents.hopeful)
