"""Computes anew how far the cache may be trusted in a namespace, when there are verdicts that say more of it.

Or when what is allowed has changed.
"""

from datetime import datetime
from functools import partial
from uuid import UUID

import structlog

from aico.caching.calibration import Calibration, Sample, calibrated
from aico.caching.scoring import FEATURES_VERSION
from aico.caching.watching import SURPRISING
from aico.core.cache_policy import Basis
from aico.core.comparing import audits
from aico.store import cache_checks
from aico.store.cache_checks import Computed, Judged, Verdict
from aico.store.scope import Scope
from aico.workers.app import app
from aico.workers.queue import TaskName
from aico.workers.runtime import Runtime, get_runtime, patiently

log = structlog.get_logger()

SAMPLES = 4000  # the latest


@app.task(name=TaskName.CALIBRATE.value)
def calibrate(tenant_id: str, job_id: str) -> None:
    """Of this job's namespace. Does nothing where nothing new is known: a bell may ring twice."""
    work_on(get_runtime(), UUID(tenant_id), UUID(job_id))


def work_on(runtime: Runtime, tenant: UUID, job: UUID) -> None:
    scope, settings = Scope.tenant(tenant), runtime.settings
    usual = Basis(FEATURES_VERSION, None, settings.cache_max_error_rate, settings.cache_confidence)
    for found in patiently(lambda: runtime.database.run(scope, cache_checks.judged(tenant, job, SURPRISING, usual))):
        # Only where there is a judge can anything end the probation that a complaint begins.
        complaints = audits(settings, found.wishes)
        statement = cache_checks.verdicts(tenant, found, complaints=complaints, limit=SAMPLES)
        latest = patiently(partial(runtime.database.run, scope, statement))
        computed = computed_of(found, latest[::-1], settings.cache_max_error_rate, settings.cache_confidence)
        patiently(partial(runtime.database.run, scope, cache_checks.keep(tenant, found, computed)))
        log.info(
            "cache_calibrated",
            namespace=found.namespace.hex(),
            state=computed.state,
            cut=computed.cut,
            judged=computed.judged,
        )


def computed_of(found: Judged, verdicts: list[Verdict], usual_rate: float, confidence: float) -> Computed:
    """Of verdicts in the order of time. Pure."""
    target = usual_rate if found.max_error_rate is None else found.max_error_rate
    basis = Basis(FEATURES_VERSION, _model(verdicts), target, confidence)
    known = calibrated(
        [_sample(verdict, basis) for verdict in verdicts],
        target=target,
        confidence=confidence,
        suspended=found.evidence_since is not None,
    )
    return Computed(
        state=known.state,
        cut=None if known.cut is None else known.cut.least,
        weights=known.weights,
        bound=known.bound,
        judged=known.judged,
        above=0 if known.cut is None else known.cut.above,
        wrong=0 if known.cut is None else known.cut.wrong,
        audited=sum(verdict.kind == "hit" and verdict.drawn for verdict in verdicts[known.forget :]),
        evidence_since=_since(found, verdicts, known),
        basis=basis,
    )


def _model(verdicts: list[Verdict]) -> str | None:
    """The embedding model in use: what others saw says nothing of its cosines."""
    ours = (one.model for one in reversed(verdicts) if one.drawn and one.features_version == FEATURES_VERSION)
    return next(ours, None)


def _since(found: Judged, verdicts: list[Verdict], known: Calibration) -> datetime | None:
    return verdicts[known.forget - 1].judged_at if known.forget else found.evidence_since


def _sample(verdict: Verdict, basis: Basis) -> Sample:
    """What was seen otherwise than now is no sample any more; whether hits were right still is."""
    same = (verdict.features_version, verdict.model) == (basis.features, basis.model)
    return Sample(
        features=verdict.features if same else None,
        score=verdict.score or 0.0,
        right=verdict.right,
        eligible=verdict.kind in {"hit", "held", "asked"},
        chance=verdict.chance,
        drawn=verdict.drawn,
        allowed=verdict.allowed or 0.0,
    )
