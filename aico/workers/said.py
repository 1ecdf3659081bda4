"""Pieces of an answer on their way from the worker that receives them to whoever relays them to a caller.

They travel over Redis, which may lose them: the answer in the job's row is the truth, and says what was lost.
"""

from dataclasses import dataclass
from uuid import UUID

KEPT_SECONDS = 3600  # what has been said so far, for callers who come later


@dataclass(frozen=True, slots=True)
class Piece:
    """More of an answer's text. An empty piece says that a worker has begun.

    `generation` is 0 for the first who answers, and grows when another begins anew. `start` counts the characters of
    that generation's text before this piece.
    """

    generation: int
    start: int
    text: str

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    def encoded(self) -> str:
        return f"{self.generation}:{self.start}:{self.text}"

    @classmethod
    def decoded(cls, message: str) -> "Piece":
        """Raises ValueError for what is no piece."""
        generation, start, text = message.split(":", 2)
        return cls(int(generation), int(start), text)


@dataclass(frozen=True, slots=True)
class Joined:
    """Said on a follower's channel: the pieces of its generation are those of a leader's generation, on its channel."""

    generation: int
    leader: UUID
    leader_generation: int

    def encoded(self) -> str:
        return f"{self.generation}>{self.leader}>{self.leader_generation}"

    @classmethod
    def decoded(cls, message: str) -> "Joined":
        """Raises ValueError for anything else."""
        generation, leader, leader_generation = message.split(">")
        return cls(int(generation), UUID(leader), int(leader_generation))


def decoded(message: str) -> Piece | Joined:
    """What was published on a job's channel. Raises ValueError for what is neither."""
    return Piece.decoded(message) if ":" in message else Joined.decoded(message)


def channel(job: UUID) -> str:
    """Where pieces are published."""
    return f"aico:said:{job}"


def key(job: UUID, generation: int) -> str:
    """Where a generation's text so far is kept for a while."""
    return f"aico:said:{job}:{generation}"
