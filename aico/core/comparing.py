"""Whether answers are compared, by whom and for how much: what the service allows, and what a tenant makes of it."""

from dataclasses import dataclass
from decimal import Decimal

from aico.core.assignment import fraction
from aico.core.settings import Settings

USUAL_RATE = 0.02  # of jobs, where a judge is configured and nobody says otherwise


@dataclass(frozen=True, slots=True)
class Wishes:
    """A tenant's own. None: the service's."""

    implicit_outcomes: bool = True  # whether what callers do next, and how answers end, counts as a judgement
    shadow_rate: float | None = None
    judge_model: str | None = None
    judge_daily_cents: Decimal | None = None
    own_keys: bool = False  # whether its own provider keys may be used for it
    draw_salt: str = ""  # under which its jobs are drawn


@dataclass(frozen=True, slots=True)
class Comparing:
    """What holds for a tenant."""

    rate: float  # of jobs that another model answers too
    judge: str | None
    daily_cents: Decimal
    own_keys: bool
    draw_salt: str

    @classmethod
    def of(cls, settings: Settings, wishes: Wishes) -> "Comparing":
        """A tenant may have less compared than the service allows, never more, and choose another judge.

        Without a judge of the service nothing is compared: answers that nobody compares are worth nothing.
        """
        judge = settings.judge_model and (wishes.judge_model or settings.judge_model)
        most = USUAL_RATE if settings.shadow_rate is None else settings.shadow_rate
        cents = settings.judge_daily_budget_cents
        return cls(
            rate=0.0 if judge is None else most if wishes.shadow_rate is None else min(wishes.shadow_rate, most),
            judge=judge,
            daily_cents=cents if wishes.judge_daily_cents is None else min(wishes.judge_daily_cents, cents),
            own_keys=wishes.own_keys,
            draw_salt=wishes.draw_salt,
        )

    def draws(self, job: str) -> bool:
        """Whether a job is drawn, the same each time. What else is drawn by the tenant's salt is unrelated."""
        return self.rate > 0 and fraction(f"{self.draw_salt}/shadow", job) < self.rate


def cache_draw(wishes: Wishes, job: str) -> float:
    """By which a job is drawn to have the cache checked, 0 to 1: the same each time, and unrelated to `draws`."""
    return fraction(f"{wishes.draw_salt}/cache", job)


def audits(settings: Settings, wishes: Wishes) -> bool:
    """Whether the cache's decisions are checked: somebody may judge them, and there is money for it."""
    comparing = Comparing.of(settings, wishes)
    return comparing.judge is not None and min(comparing.daily_cents, settings.judge_service_budget_cents) > 0
