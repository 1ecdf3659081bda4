"""Publishes an answer while it is being received."""

from collections.abc import Sequence

import redis
import structlog

from aico.store.claims import Claim
from aico.store.flights import Following
from aico.workers import said
from aico.workers.runtime import Runtime
from aico.workers.said import Joined, Piece

log = structlog.get_logger()


def publish_joined(runtime: Runtime, joined: Sequence[Following]) -> None:
    """Tell whoever reads these jobs as streams. One trip to Redis; who does not hear it has the answer at the end."""
    try:
        with runtime.redis.pipeline(transaction=False) as pipe:
            for one in joined:
                word = Joined(one.generation, one.leader, one.leader_generation)
                pipe.publish(said.channel(one.job), word.encoded())
            pipe.execute()
    except redis.RedisError as error:
        log.warning("followers_not_told", count=len(joined), error=type(error).__name__)


class Publisher:
    """Of one claim. Work per piece: one trip to Redis. A Redis that fails once is not asked again for this answer."""

    def __init__(self, runtime: Runtime, claim: Claim) -> None:
        self._redis = runtime.redis
        self._job = claim.id
        self._generation = claim.fence - 1
        self._position = 0
        self._works = True
        self._publish(Piece(self._generation, 0, ""))

    def __call__(self, text: str) -> None:
        piece = Piece(self._generation, self._position, text)
        self._position = piece.end
        if self._works:
            self._publish(piece)

    def _publish(self, piece: Piece) -> None:
        key = said.key(self._job, piece.generation)
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                if piece.text:
                    pipe.append(key, piece.text)
                    pipe.expire(key, said.KEPT_SECONDS)
                pipe.publish(said.channel(self._job), piece.encoded())
                pipe.execute()
        except redis.RedisError as error:
            self._works = False  # a gap in what is kept would be worse than an end
            log.warning("answer_not_published", error=type(error).__name__)
