"""What has been learned from a tenant's outcomes, as its API shows it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, Field

from aico.core.estimates import wilson
from aico.store.drafts import RECENT, DraftStanding
from aico.store.learner import ModelStanding, Standing


class TaskQuality(BaseModel):
    task: Annotated[str, Field(description="The kind of prompt, as it looked when it was routed.")]
    outcomes: Annotated[int, Field(description="Answers that somebody judged, since learning began anew.")]
    quality: Annotated[float, Field(description="Their mean quality, 0 to 1.")]
    quality_at_least: Annotated[float, Field(description="Lower end of Wilson's 95 % interval of that mean.")]


class LearnedModel(BaseModel):
    model: str
    labels: Annotated[float, Field(description="Outcomes that its weights rest on, less what was forgotten.")]
    updated_at: datetime
    tasks: list[TaskQuality]

    @classmethod
    def of(cls, standing: ModelStanding) -> Self:
        return cls(
            model=standing.model,
            labels=round(standing.labels, 1),
            updated_at=standing.updated_at,
            tasks=[
                TaskQuality(
                    task=task,
                    outcomes=count,
                    quality=round(total / count, 4),
                    quality_at_least=round(wilson(total, count).low, 4),
                )
                for task, (count, total) in sorted(standing.tasks.items())
                if count
            ],
        )


class LearnedDrafts(BaseModel):
    """Of one model that drafts answers in a cascade."""

    model: str
    labels: Annotated[float, Field(description="Outcomes that its verifier rests on, less what was forgotten.")]
    judged: Annotated[int, Field(description="Drafts that somebody judged, since learning began anew.")]
    quality: Annotated[float | None, Field(description="Share of them that were good enough; null: none was judged.")]
    quality_at_least: Annotated[float | None, Field(description="Lower end of Wilson's 95 % interval of that share.")]
    checked: Annotated[int, Field(description=f"Its drafts among the last {RECENT:,} of all models.")]
    passed: Annotated[int, Field(description="Those of them that passed the check.")]
    pass_rate: Annotated[float | None, Field(description="Their share; null: there were none.")]
    pass_rate_low: Annotated[float | None, Field(description="Wilson's 95 % interval of that share.")]
    pass_rate_high: float | None

    @classmethod
    def of(cls, standing: DraftStanding) -> Self:
        judged, good, checked, passed = standing.judged, standing.good, standing.checked, standing.passed
        rate = wilson(passed, checked)
        return cls(
            model=standing.model,
            labels=round(standing.labels, 1),
            judged=judged,
            quality=round(good / judged, 4) if judged else None,
            quality_at_least=round(wilson(good, judged).low, 4) if judged else None,
            checked=checked,
            passed=passed,
            pass_rate=round(passed / checked, 4) if checked else None,
            pass_rate_low=round(rate.low, 4) if checked else None,
            pass_rate_high=round(rate.high, 4) if checked else None,
        )


class LearnerView(BaseModel):
    version: Annotated[int, Field(description="Of the newest solution; 0: nothing has been learned.")]
    in_use: Annotated[int, Field(description="The version that routing decides by.")]
    pinned: Annotated[bool, Field(description="Whether an operator holds routing at that version.")]
    design: Annotated[str | None, Field(description="Which numbers of a prompt it is about.")]
    labels: Annotated[float, Field(description="Outcomes that the version in use rests on, less what was forgotten.")]
    quality_target: Annotated[
        float | None, Field(description="For which the price is shown: a share of the best single model's quality.")
    ]
    quality_price: Annotated[
        float | None, Field(description="Quality that one more US cent has to gain; null: too little traffic to say.")
    ]
    solved_at: Annotated[datetime | None, Field(description="When the version in use was made.")]
    updated_at: Annotated[datetime | None, Field(description="When outcomes were last looked at.")]
    models: list[LearnedModel]
    drafts: list[LearnedDrafts]

    @classmethod
    def of(cls, standing: Standing | None, models: Sequence[ModelStanding], drafts: Sequence[DraftStanding]) -> Self:
        if standing is None:
            standing = Standing(0, None, None, None, None, None, None, None)
        return cls(
            version=standing.version,
            in_use=standing.version if standing.pinned is None else standing.pinned,
            pinned=standing.pinned is not None,
            design=standing.design,
            labels=round(standing.labels or 0.0, 1),
            quality_target=standing.target,
            quality_price=standing.price,
            solved_at=standing.created_at,
            updated_at=standing.updated_at,
            models=[LearnedModel.of(one) for one in models],
            drafts=[LearnedDrafts.of(one) for one in drafts],
        )
