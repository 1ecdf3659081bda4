"""Second hop: claim a job, have it answered, then end it, put it back, or park it for a provider's batch."""

from dataclasses import replace
from functools import cache
from uuid import UUID

import structlog

from aico.routing.catalogue import Catalogue
from aico.routing.providers.batches.lane import lane_profiles
from aico.routing.strategies.strategies import Strategies
from aico.routing.tokens import count_text
from aico.store import claims, flights, lanes
from aico.store.claims import Claim, Ending, PutBack
from aico.store.flights import Following
from aico.store.lanes import Parked
from aico.store.scope import Scope
from aico.store.statement import Statement
from aico.workers import compare, traced
from aico.workers.answers import Known
from aico.workers.app import app
from aico.workers.breakers import RedisBreaker
from aico.workers.calibration import Calibration
from aico.workers.finish import finish, hand_over, put_back
from aico.workers.grey_zone import Asker
from aico.workers.hits import exact_hit
from aico.workers.learned import LearnedSolutions
from aico.workers.leases import Leases
from aico.workers.pacing import RedisPacer
from aico.workers.publisher import Publisher, publish_joined
from aico.workers.queue import TaskName
from aico.workers.router import Router, Shared
from aico.workers.runtime import Runtime, get_runtime, patiently
from aico.workers.sightings import RedisSightings

log = structlog.get_logger()

RELEASE_SECONDS = 3.0  # for interrupted calls to put their jobs back


@cache
def router() -> Router:
    runtime = get_runtime()
    limits = Catalogue.from_settings(runtime.settings).limits
    names = [profile.name for profile in lane_profiles(runtime.settings)]
    shared = Shared(
        RedisPacer(runtime.redis, limits, heeds_all=True), RedisBreaker(runtime.redis), RedisSightings(runtime.redis)
    )
    learned = LearnedSolutions(runtime.database)
    known = Known(Calibration(runtime.database).lines, learned.of, learned.verifier)
    return Router(runtime.settings, Strategies(), shared, names, known)


@cache
def leases() -> Leases:
    held = Leases(get_runtime())
    held.start()
    return held


@cache
def asker() -> Asker:
    return Asker(get_runtime(), compare.comparer())


@app.task(name=TaskName.ROUTE.value)
def route(tenant_id: str, job_id: str) -> None:
    """Does nothing when the job has ended or somebody else holds it: a bell may ring twice."""
    runtime = get_runtime()
    tenant = UUID(tenant_id)
    claim_job = claims.claim(tenant, UUID(job_id), runtime.settings.lease_seconds)
    claimed = patiently(lambda: runtime.database.run(Scope.tenant(tenant, durable=False), claim_job))
    for claim in claimed:
        with leases().holding(claim), traced.routing(claim):
            settle(runtime, claim, router(), leases())
    if not claimed:
        tell_followers(runtime, tenant, flights.joined(tenant, UUID(job_id)))


def settle(runtime: Runtime, claim: Claim, by: Router, held: Leases) -> None:
    claim = account(runtime, claim, by)
    if claim.hit is not None:
        finish(runtime, claim.tenant, [exact_hit(claim, claim.hit)])
        return
    if claim.near_probability is not None:
        asked = _asked(claim, by, held)
        if not isinstance(asked, Claim):
            finish(runtime, claim.tenant, [] if asked is None else [asked])
            return
        claim = asked
    if claim.flew:
        anew = flights.begin_anew(claim.tenant, claim.id, claim.fence)
        tell_followers(runtime, claim.tenant, anew, heard=claim.streams)
    outcome = by.answer(claim, held, Publisher(runtime, claim) if claim.streams else None)
    if isinstance(outcome, Ending):
        finish(runtime, claim.tenant, [outcome])
        log.info("job_ended", status=outcome.status.value, attempts=len(outcome.attempts))
    elif isinstance(outcome, PutBack):
        put_back(runtime, outcome)
        log.info("job_put_back", reason=outcome.reason, attempts=len(outcome.attempts))
    else:
        park(runtime, outcome)
        log.info("job_parked", model=outcome.model)


def _asked(claim: Claim, by: Router, held: Leases) -> Ending | Claim | None:
    """Of a job that the cache may answer after all."""
    call = by.expected_call(claim)
    return claim if call is None else asker().ask(claim, call.cents, held)


def account(runtime: Runtime, claim: Claim, by: Router) -> Claim:
    """Book the call of a worker that died over the job before anything else is called: we may die over it too."""
    if not claim.taken_over or (claim.interrupted is not None and claim.interrupted.booked):
        return claim
    lost = by.lost_attempt(claim)
    patiently(lambda: runtime.database.run(Scope.tenant(claim.tenant), claims.lose(claim, lost)))
    spent = claim.spent_cents + (lost.cost_cents or 0)
    return replace(claim, attempts=claim.attempts + 1, spent_cents=spent)


def tell_followers(runtime: Runtime, tenant: UUID, statement: Statement[Following], *, heard: bool = True) -> None:
    """Say to whoever reads the answers of followers as streams whose pieces these are, where any can be heard."""
    found = patiently(lambda: runtime.database.run(Scope.tenant(tenant, durable=False), statement))
    if found and heard:
        publish_joined(runtime, found)


def park(runtime: Runtime, parked: Parked) -> None:
    """Store that the job waits for a provider's batch; the sweeper rings when it has waited for company."""
    tenant = parked.claim.tenant
    statement = lanes.park(parked, runtime.settings.batch_lane_linger_seconds)
    patiently(lambda: runtime.database.run(Scope.tenant(tenant), statement))
    hand_over(runtime, tenant, parked.claim.id)  # to those who cannot wait as long


def warm_up() -> None:
    """Read the catalogue and the vocabulary, and start renewing leases, before the first message."""
    router()
    leases()
    asker()
    count_text("ready")


def wind_down() -> None:
    """Interrupt the calls that are still under way, and put their jobs back for others."""
    compare.wind_down()
    if not leases().let_go(RELEASE_SECONDS):
        log.warning("claims_not_released")  # their leases run out
