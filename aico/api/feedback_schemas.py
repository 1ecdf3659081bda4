"""What goes over the wire about feedback."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aico.core.inputs import Number, Turn

SCORES = {"up": 1.0, "down": 0.0}


Score = Annotated[
    Number,
    Field(ge=0, le=1, allow_inf_nan=False, description="From 0, useless, to 1, just right; kept to a millionth."),
]
COMMENT_CHARACTERS = 2000
Comment = Annotated[Turn, Field(max_length=COMMENT_CHARACTERS, description="Why.")]


class FeedbackRequest(BaseModel):
    """Either `thumb` or `score`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"job_id": "01a2088b-ad25-7863-b70d-0c1d65801cef", "thumb": "up"},
                {"job_id": "01a2088b-ad25-7863-b70d-0c1d65801cef", "score": 0.25, "comment": "Right, but too long."},
            ]
        },
    )

    job_id: UUID
    thumb: Literal["up", "down"] | None = None
    score: Score | None = None
    comment: Comment | None = None

    @model_validator(mode="after")
    def _one_judgement(self) -> Self:
        if (self.thumb is None) == (self.score is None):
            raise ValueError("give either `thumb` or `score`")
        return self

    @property
    def worth(self) -> float:
        """The score, or what the thumb stands for."""
        return SCORES[self.thumb] if self.thumb else self.score or 0.0


class FeedbackView(BaseModel):
    """What is kept of it; a thumb is kept as a score of 1 or 0."""

    job_id: UUID
    score: Score
    comment: str | None
    created_at: datetime
