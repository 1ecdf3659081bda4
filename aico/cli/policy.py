"""What holds for a tenant's jobs where their callers do not say otherwise: straight in the database."""

import re
from collections.abc import Mapping
from contextlib import closing
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from aico.cli.show import out
from aico.cli.telling import tell
from aico.cli.tenancy import TenantName, find_tenant, open_database
from aico.core import changes
from aico.core.access import OPERATOR
from aico.core.assignment import MAX_HOLDOUT
from aico.core.cache_policy import MAX_ERROR_RATE, GuardPolicy
from aico.core.errors import InvalidInput
from aico.core.jobs import CacheMode, CachePersonal
from aico.core.redaction import PiiPolicy
from aico.core.settings import get_settings
from aico.core.strategies import StrategyName
from aico.routing.catalogue import Catalogue
from aico.store import tenants
from aico.store.scope import Scope

SERVICE = "service"  # no policy of its own
_YES_OR_NO = {True: "yes", False: "no"}
_CENTS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?", re.ASCII)
_COUNT = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
_NUMBER = re.compile(r"[01](\.[0-9]{1,6})?|\.[0-9]{1,6}", re.ASCII)


Fallback = Annotated[
    bool | None, typer.Option("--fallback/--no-fallback", help="Whether another model may answer for a named one.")
]
Cache = Annotated[
    str | None, typer.Option(metavar="MODE", help=f"{', '.join(CacheMode)}, or {SERVICE}: the service's default.")
]
Baseline = Annotated[
    str | None, typer.Option(metavar="MODEL", help=f"What savings are measured against, or {SERVICE}.")
]
Pii = Annotated[PiiPolicy | None, typer.Option(help="Whether personal data is replaced before anything is stored.")]
Holdout = Annotated[
    str | None,
    typer.Option(metavar="SHARE", help=f"Of the jobs, answered without us: 0 to {MAX_HOLDOUT}, or {SERVICE}."),
]
Strategy = Annotated[
    str | None,
    typer.Option(metavar="NAME", help=f"{', '.join(StrategyName)}, or {SERVICE}: the service's default."),
]
QualityTarget = Annotated[
    str | None, typer.Option(metavar="SHARE", help=f"0 to 1, of the best model's quality, or {SERVICE}.")
]
Implicit = Annotated[
    bool | None,
    typer.Option("--implicit/--no-implicit", help="Whether what callers do next counts as a judgement."),
]
ShadowRate = Annotated[
    str | None, typer.Option(metavar="SHARE", help=f"Of jobs that another model answers too, or {SERVICE}.")
]
Judge = Annotated[str | None, typer.Option(metavar="MODEL", help=f"What compares answers, or {SERVICE}.")]
JudgeBudget = Annotated[str | None, typer.Option(metavar="CENTS", help=f"What comparing may cost a day, or {SERVICE}.")]
CompareWithOwnKeys = Annotated[
    bool | None,
    typer.Option("--compare-with-own-keys/--no-compare-with-own-keys", help="The tenant's own, for comparing."),
]
MaxErrorRate = Annotated[
    str | None, typer.Option(metavar="SHARE", help=f"Wrong answers per hit by meaning, at most, or {SERVICE}.")
]
Guards = Annotated[
    str | None, typer.Option(metavar="NAME", help=f"{', '.join(GuardPolicy)}, or {SERVICE}: what forbids a hit.")
]
CachePersonalOption = Annotated[
    CachePersonal | None,
    typer.Option("--cache-personal", help="Personal questions of users that callers name: kept for each, or never."),
]
CacheEntries = Annotated[
    str | None, typer.Option(metavar="COUNT", help=f"Answers that are kept, at most the service's, or {SERVICE}.")
]


def policy(
    tenant: TenantName,
    *,
    fallback: Fallback = None,
    cache: Cache = None,
    baseline: Baseline = None,
    pii: Pii = None,
    holdout: Holdout = None,
    strategy: Strategy = None,
    quality_target: QualityTarget = None,
    implicit: Implicit = None,
    shadow_rate: ShadowRate = None,
    judge: Judge = None,
    judge_budget: JudgeBudget = None,
    compare_with_own_keys: CompareWithOwnKeys = None,
    max_error_rate: MaxErrorRate = None,
    cache_guards: Guards = None,
    cache_personal: CachePersonalOption = None,
    cache_entries: CacheEntries = None,
) -> None:
    """Show what holds for a tenant's jobs where their callers do not say otherwise, or set what is given.

    Exit code 0: shown or set; 1: there is no such tenant; 2: the command makes no sense.
    """
    given = {
        "fallback": (fallback, fallback),
        "cache_mode": (cache, _cache_mode(cache)),
        "baseline_model": (baseline, _model("--baseline", baseline)),
        "pii": (pii, pii),
        "holdout_share": (holdout, _share("--holdout", holdout, MAX_HOLDOUT)),
        "strategy": (strategy, _strategy(strategy)),
        "quality_target": (quality_target, _share("--quality-target", quality_target, 1)),
        "implicit_outcomes": (implicit, implicit),
        "shadow_rate": (shadow_rate, _share("--shadow-rate", shadow_rate, 1)),
        "judge_model": (judge, _model("--judge", judge)),
        "judge_daily_cents": (judge_budget, _cents(judge_budget)),
        "compare_with_own_keys": (compare_with_own_keys, compare_with_own_keys),
        "max_error_rate": (max_error_rate, _error_rate(max_error_rate)),
        "cache_guards": (cache_guards, _guards(cache_guards)),
        "cache_personal": (cache_personal, cache_personal),
        "cache_max_entries": (cache_entries, _count(cache_entries)),
    }
    out.print(_shown(_change(tenant, {name: meant for name, (said, meant) in given.items() if said is not None})))


def _change(name: str, wanted: Mapping[str, Any]) -> tenants.Policy:
    with closing(open_database()) as database:
        tenant_id = find_tenant(database, name)
        scope = Scope.tenant(tenant_id)
        if wanted:
            database.run(scope, tenants.change(tenant_id, OPERATOR, wanted))
            tell(changes.of_tenant(tenant_id))
        (policy,) = database.run(scope, tenants.policy(tenant_id))
    return policy


def _shown(policy: tenants.Policy) -> Table:
    table = Table("policy", "value")
    table.add_row("fallback", _YES_OR_NO[policy.fallback])
    table.add_row("cache", policy.cache_mode or SERVICE)
    table.add_row("baseline", Text(policy.baseline_model or SERVICE))
    table.add_row("pii", policy.pii)
    table.add_row("strategy", policy.strategy or SERVICE)
    for name, share in (
        ("quality target", policy.quality_target),
        ("holdout", policy.holdout_share),
        ("shadow rate", policy.shadow_rate),
        ("judge cents a day", policy.judge_daily_cents),
        ("max error rate", policy.max_error_rate),
    ):
        table.add_row(name, SERVICE if share is None else f"{float(share):g}")
    table.add_row("judge", Text(policy.judge_model or SERVICE))
    table.add_row("implicit outcomes", _YES_OR_NO[policy.implicit_outcomes])
    table.add_row("personal questions", policy.cache_personal)
    table.add_row("cache entries", SERVICE if policy.cache_max_entries is None else str(policy.cache_max_entries))
    table.add_row("compare with own keys", _YES_OR_NO[policy.compare_with_own_keys])
    table.add_row("cache guards", policy.cache_guards or SERVICE)
    return table


def _error_rate(text: str | None) -> float | None:
    rate = _share("--max-error-rate", text, MAX_ERROR_RATE)
    if rate == 0:
        raise InvalidInput("--max-error-rate is above 0; for no hits by meaning at all say --cache exact")
    return rate


def _guards(text: str | None) -> GuardPolicy | None:
    if text in {None, SERVICE}:
        return None
    try:
        return GuardPolicy(str(text))
    except ValueError as error:
        raise InvalidInput(f"--cache-guards is one of {', '.join(GuardPolicy)}, {SERVICE}, not {text!r}") from error


def _cache_mode(text: str | None) -> CacheMode | None:
    if text in {None, SERVICE}:
        return None
    try:
        return CacheMode(str(text))
    except ValueError as error:
        raise InvalidInput(f"--cache is one of {', '.join(CacheMode)}, {SERVICE}, not {text!r}") from error


def _strategy(text: str | None) -> StrategyName | None:
    if text in {None, SERVICE}:
        return None
    try:
        return StrategyName(str(text))
    except ValueError as error:
        raise InvalidInput(f"--strategy is one of {', '.join(StrategyName)}, {SERVICE}, not {text!r}") from error


def _model(option: str, text: str | None) -> str | None:
    if text in {None, SERVICE}:
        return None
    known = Catalogue.from_settings(get_settings()).known
    if text not in known:
        raise InvalidInput(f"{option} is a model's id as `GET /providers` lists them, or {SERVICE}, not {text!r}")
    return text


def _cents(text: str | None) -> str | None:
    if text is None or text == SERVICE:
        return None
    if not _CENTS.fullmatch(text):
        raise InvalidInput(f"--judge-budget is a number of US cents such as 20 or 2.5, or {SERVICE}, not {text!r}")
    return text


def _count(text: str | None) -> int | None:
    if text is None or text == SERVICE:
        return None
    if not _COUNT.fullmatch(text):
        raise InvalidInput(f"--cache-entries is a number above 0, or {SERVICE}, not {text!r}")
    return int(text)


def _share(option: str, text: str | None, most: float) -> float | None:
    if text is None or text == SERVICE:
        return None
    if not (_NUMBER.fullmatch(text) and float(text) <= most):
        raise InvalidInput(f"{option} is a number from 0 to {most:g}, or {SERVICE}, not {text!r}")
    return float(text)
