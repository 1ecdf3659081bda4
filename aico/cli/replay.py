"""`aico replay`: what a tenant's decisions would have cost and been worth under another policy."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Annotated
from uuid import UUID

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from aico.cli.show import cents, err, out
from aico.cli.tenancy import TenantName, find_tenant, open_database
from aico.core.errors import AicoError, InvalidInput, NotFound
from aico.core.estimates import Estimate
from aico.core.settings import get_settings
from aico.core.strategies import StrategyName
from aico.routing.catalogue import Catalogue
from aico.routing.features import extract_features
from aico.routing.learner.learned import Learned
from aico.routing.models import Model
from aico.routing.replay import Logged, Replay, Replayed
from aico.routing.strategies.protocol import Ask, PricedModel, RoutingPolicy
from aico.routing.strategies.strategies import Strategies
from aico.store import learner, replays
from aico.store.blocking import Database
from aico.store.replays import PastDecision
from aico.store.scope import Scope

_PAGE = 200
_REMEMBERED = 64  # versions of what was learned
LOGGED, NOTHING = "logged", "none"
_DRAFT = ""  # a model whose answer was only a draft: no policy of whole answers chooses that, whichever model it is

Knowing = Callable[[PastDecision], Learned | None]


@dataclass(frozen=True)
class Variant:
    """How the other policy differs from the one that decided."""

    strategy: StrategyName
    quality_floor: float | None = None
    quality_target: float | None = None
    models: frozenset[str] | None = None

    def ask(self, past: PastDecision, known: dict[str, Model], learned: Learned | None) -> Ask:
        """As it would be asked now, with the models and the costs that were expected then."""
        features = replace(extract_features(past.request), vector=past.vector)
        allowed = past.cents.keys() if self.models is None else past.cents.keys() & self.models
        priced = [PricedModel(known[one], Decimal(repr(past.cents[one]))) for one in sorted(allowed & known.keys())]
        floors = (past.controls.quality_floor, self.quality_floor)
        policy = RoutingPolicy(
            model=past.asked,
            quality_floor=max(floor or 0.0 for floor in floors),
            max_cents=past.controls.max_cost_cents,
            strategy=self.strategy,
            quality_target=self.quality_target,
        )
        return Ask(features, priced, policy, learned)


@dataclass(slots=True)
class Tally:
    replay: Replay
    unpriced: int = 0  # decisions whose cost nobody knows
    refused: int = 0  # for which the other policy has no model

    def add(self, past: PastDecision, ask: Ask) -> None:
        if past.cost_cents is None:
            self.unpriced += 1
            return
        try:
            decision = Strategies().decide(ask)
        except AicoError:
            self.refused += 1
            return
        would = decision.chances or {decision.candidates[0].id: 1.0}
        expected = {**decision.expected, **past.expected}
        if past.drafted:
            logged = Logged(_DRAFT, {}, expected, past.cents, None, past.cost_cents)
        else:
            seen = past.quality if past.answered_by == past.first_choice else None
            logged = Logged(past.first_choice, past.chances, expected, past.cents, seen, past.cost_cents)
        self.replay.add(logged, would)


def replay(
    tenant: TenantName,
    strategy: Annotated[StrategyName, typer.Option(help="That would have chosen.")],
    days: Annotated[int, typer.Option(min=1, max=366, help="Whole days back from now, UTC.")] = 30,
    quality_floor: Annotated[float | None, typer.Option(min=0, max=1, help="No model of a lower rank.")] = None,
    quality_target: Annotated[
        float | None, typer.Option(min=0, max=1, help="Of the best single model's quality, for strategies that learn.")
    ] = None,
    models: Annotated[str | None, typer.Option(metavar="MODEL,…", help="No others.")] = None,
    learned: Annotated[
        str,
        typer.Option(metavar="VERSION", help=f"{LOGGED}: as known at each decision; {NOTHING}; or a version."),
    ] = LOGGED,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Estimate what past decisions would have cost and been worth under another policy, straight from the database.

    Doubly robust, by the probabilities that were logged, with 95 % intervals. Only decisions in which a model was to be
    chosen count, and only while their prompts are kept. Nothing is called and nothing changed.
    Exit code 0: shown; 1: there is no such tenant, or nothing to replay; 2: the command makes no sense.
    """
    if strategy is StrategyName.CASCADE:
        raise InvalidInput("a cascade cannot be replayed: no log says which of its drafts would have passed")
    known = {model.id: model for model in Catalogue.from_settings(get_settings()).all_models}
    variant = Variant(strategy, quality_floor, quality_target, _models(models, known))
    until = datetime.now(UTC)
    since = (until - timedelta(days=days - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    with closing(open_database()) as database:
        tenant_id = find_tenant(database, tenant)
        (there,) = database.run(Scope.tenant(tenant_id), replays.replayable(tenant_id, since, until))
        if there.decisions == there.wordless:
            raise NotFound(f"there are no decisions of the last {days} days whose prompts are still kept")
        tally, knowing = Tally(Replay()), _knowing(database, tenant_id, learned)
        for past in _shown_progress(_past(database, tenant_id, since, until), there.decisions - there.wordless):
            tally.add(past, variant.ask(past, known, knowing(past)))
    left_out = {"without_prompt": there.wordless, "without_cost": tally.unpriced, "without_model": tally.refused}
    _show(tally.replay.result(), left_out, as_json=as_json)


def _show(result: Replayed, left_out: dict[str, int], *, as_json: bool) -> None:
    if as_json:
        out.print_json(data={**asdict(result), "left_out": left_out})
        return
    out.print(_table(result))
    for line in _caveats(result, left_out):
        err.print(line, markup=False)


def _models(text: str | None, known: dict[str, Model]) -> frozenset[str] | None:
    if text is None:
        return None
    named = frozenset(part.strip() for part in text.split(",") if part.strip())
    unknown = named - known.keys()
    if unknown or not named:
        raise InvalidInput(f"--models names models as `GET /providers` lists them, not {', '.join(sorted(unknown))!r}")
    return named


def _knowing(database: Database, tenant: UUID, learned: str) -> Knowing:
    """What the other policy knows at a decision. Raises InvalidInput or NotFound for a version that is none."""

    @lru_cache(maxsize=_REMEMBERED)
    def version(number: int) -> Learned | None:
        found = database.run(Scope.tenant(tenant), learner.solution(tenant, number))
        return Learned.decoded(found[0][0]) if found else None

    if learned == LOGGED:
        return lambda past: None if past.learned_version is None else version(past.learned_version)
    if learned == NOTHING:
        return lambda _: None
    if not learned.isdecimal():
        raise InvalidInput(f"--learned is {LOGGED}, {NOTHING} or a version's number, not {learned!r}")
    if version(int(learned)) is None:
        raise NotFound(f"version {learned} is not kept; `aico learner history` lists those that are")
    return lambda _: version(int(learned))


def _past(database: Database, tenant: UUID, since: datetime, until: datetime) -> Iterator[PastDecision]:
    scope, found = (
        Scope.tenant(tenant),
        database.run(Scope.tenant(tenant), replays.page(tenant, since, until, limit=_PAGE)),
    )
    while found:
        yield from found
        found = database.run(scope, replays.page(tenant, since, until, after=found[-1].job, limit=_PAGE))


def _shown_progress(decisions: Iterator[PastDecision], total: int) -> Iterator[PastDecision]:
    columns = (TextColumn("deciding anew"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        yield from progress.track(decisions, total=total)


def _table(result: Replayed) -> Table:
    table = Table("mean of a decision", "other policy", "against what was done")
    table.add_row("cost", _money(result.cost), _money(result.cost_difference))
    table.add_row("quality", _rate(result.quality), _rate(result.quality_difference))
    return table


def _money(one: Estimate | None) -> str:
    if one is None:
        return "too few"
    value, low, high = (cents(Decimal(repr(amount))) for amount in (one.value, one.interval.low, one.interval.high))
    return f"{value} ({low} to {high})"


def _rate(one: Estimate | None) -> str:
    return "too few" if one is None else f"{one.value:.3f} ({one.interval.low:.3f} to {one.interval.high:.3f})"


def _caveats(result: Replayed, left_out: dict[str, int]) -> Iterator[str]:
    yield (
        f"{result.decisions} decisions, {result.judged} of them judged; they tell as much as {result.effective:.0f} of"
        " the other policy's own would."
    )
    if result.unsupported > 0:
        yield f"{result.unsupported:.0%} of its choices were never tried by chance: there only expectations speak."
    if result.unknown:
        yield (
            f"{result.unknown} judged decisions say nothing of quality: nothing was expected of the other choice, and"
            " it was never tried by chance."
        )
    if result.clipped:
        yield f"{result.clipped} rare choices would have counted for many others, and were cut."
    for reason, count in left_out.items():
        if count:
            yield f"{count} decisions are left out: {reason.replace('_', ' ')}."
