"""An audit as a configuration that the service takes: settings, each with the figure that it follows from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import genai_prices
from genai_prices import data_snapshot

from aico.audit.report import Part, Report, Spend
from aico.core.settings import Settings
from aico.routing.catalogue import Catalogue
from aico.routing.providers.profiles import PROFILE_BY_NAME

_LIVES = (3600, 6 * 3600, 86_400, 3 * 86_400, 7 * 86_400, 14 * 86_400, 30 * 86_400)
_HOLDOUT = "0.05"  # while nothing is known of quality; the service's usual 0.01 would take five times as long to tell
_WORTH = 0.01  # of the cost: what a part has to save to be switched on
_DOUBTS = 0.05  # of the semantic hits: more than twice what was wrong of support questions
_CONTEXT, _OUTPUT = 32_768, 4_096  # of a model of which nobody says more


@dataclass(frozen=True)
class Setting:
    name: str
    value: str
    why: Sequence[str]


@dataclass(frozen=True)
class Configuration:
    env: str  # lines of a `.env`
    catalogue: str | None  # TOML; None where the bundled catalogue knows the model that savings are measured against


def configuration(report: Report, catalogue: Catalogue, catalogue_file: str) -> Configuration:
    """`catalogue_file` is the path under which the caller writes the catalogue, if there is one."""
    dearest = next((spend for spend in report.log.models if spend.cents is not None and spend.provider), None)
    extra = None if dearest is None or dearest.model in catalogue.known else _catalogue(dearest)
    settings = [*_settings(report, dearest)]
    if extra is not None:
        settings.append(Setting("CATALOGUE_FILE", catalogue_file, ["It describes the baseline model."]))
    return Configuration("\n".join([_head(report), *map(_lines, settings), _requests(report)]), extra)


def _head(report: Report) -> str:
    span = "" if report.log.since is None else f", {report.log.since:%Y-%m-%d} to {report.log.until:%Y-%m-%d}"
    return (
        f"# From an audit of {report.log.calls} calls{span}, which cost {report.log.cents:f} US cents.\n"
        f"# Expected saving: {_bounds(report.total)}\n"
        f"# Written {datetime.now(UTC):%Y-%m-%d}, prices of genai-prices {genai_prices.__version__}.\n"
    )


def _settings(report: Report, dearest: Spend | None) -> Iterator[Setting]:
    parts = {part.name: part for part in report.parts}
    if dearest is not None:
        why = [f"{dearest.model} took most of the money: {dearest.cents:f} US cents in {dearest.calls} calls."]
        yield Setting("BASELINE_MODEL", dearest.model, why)
    yield _life(report)
    threshold, semantic = report.question["similarity_threshold"], parts["semantic"]
    if threshold is not None:
        agreed = report.evidence.semantic
        why = [_saves(semantic), f"{agreed.same} of {agreed.known} such hits had been answered in the same words."]
        doubts = report.evidence.doubtful_hits
        if doubts > _DOUBTS * semantic.calls:
            why.append(f"{doubts} are probably wrong: tenants whose prompts differ in numbers are safe with")
            why.append("`aico tenants policy TENANT --cache exact`.")
        yield Setting("SIMILARITY_THRESHOLD", f"{threshold:g}", why)
    if parts["batch"].share >= _WORTH:
        why = [
            _saves(parts["batch"]),
            "For requests that say when their answer is due: `deadline`, `completion_window`.",
        ]
        yield Setting("BATCH_LANES", "true", why)
    if parts["route"].share >= _WORTH:
        yield Setting(
            "HOLDOUT_SHARE",
            _HOLDOUT,
            [_saves(parts["route"]), "That is an estimate: so many go to the baseline model, and show how it is."],
        )


def _life(report: Report) -> Setting:
    assumed, age = float(report.question["cache_ttl_seconds"] or 0), report.evidence.answer_age_seconds
    if age is None:
        why = ["No answer was served again, so the life that the audit assumed stays."]
        return Setting("CACHE_TTL_SECONDS", f"{assumed:.0f}", why)
    life = next((life for life in _LIVES if age < life <= assumed), assumed)
    why = [f"95 % of the answers that would have been served again were at most {age:.0f} s old."]
    return Setting("CACHE_TTL_SECONDS", f"{life:.0f}", why)


def _saves(part: Part) -> str:
    return f"Expected saving by {part.name}: {_bounds(part)}, {part.calls} calls."


def _bounds(part: Part) -> str:
    cents = part.cents
    least, most = sorted((cents.cautious, cents.hopeful))
    return f"{least:f} to {most:f} US cents (95 %: {cents.low:f} to {cents.high:f})"


def _lines(setting: Setting) -> str:
    """A setting that this version does not have stands as a comment: it would be passed over in silence."""
    known = setting.name.lower() in Settings.model_fields
    line = f"{setting.name}={setting.value}"
    return "\n".join([*(f"# {why}" for why in setting.why), line if known else f"# {line}  (not in this version)", ""])


def _requests(report: Report) -> str:
    """What callers have to change, for a model that is named is never replaced."""
    route = next(part for part in report.parts if part.name == "route")
    if route.share < _WORTH:
        return ""
    floor = report.question["quality_floor"]
    policy = "# For each tenant: aico tenants policy TENANT --strategy hybrid"
    asked = f"# Callers send `model: auto` to have routes; with `aico.quality_floor` {floor:g} no lower rank answers."
    return f"{policy}\n{asked}\n"


def _catalogue(spend: Spend) -> str:
    window = _window(spend)
    return (
        f"# {spend.model} took most of the money of the audited log, and the bundled catalogue does not describe it.\n"
        "# Savings are measured against it. Its rank is unknown: with 0 it is chosen for no prompt; give it one.\n"
        "[[models]]\n"
        f'id = "{_escaped(spend.model)}"\n'
        f'provider = "{spend.provider}"\n'
        f'provider_model = "{_escaped(spend.model)}"\n'
        "quality = 0.0\n"
        f"context_window = {window}\n"
        f"max_output = {min(window, _OUTPUT)}\n"
        'capabilities = ["json", "schema", "tools"]\n'
    )


def _window(spend: Spend) -> int:
    prices = PROFILE_BY_NAME[spend.provider or ""].prices_id
    if prices is None:
        return _CONTEXT
    _, info = data_snapshot.get_snapshot().find_provider_model(spend.model, None, prices, None)
    return info.context_window or _CONTEXT


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
