"""What is made of a reply, when the next attempt comes, and how a body is signed."""

from datetime import UTC, datetime

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook

from aico.core.ids import new_id
from aico.store.webhooks import SCHEDULE_SECONDS, Delivery, DeliveryStatus
from aico.workers.delivery import DELAYS, JITTER, Reply, judge, next_delay, signed

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_signatures_equal_the_standards_own_vector() -> None:
    delivery = Delivery(new_id(), new_id(), 1, 1, {}, "", (SecretStr(SECRET),))
    at = datetime.fromtimestamp(1614265330, UTC)
    body = b'{"test": 2432232314}'
    signature = Webhook(SECRET).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, body.decode())
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    headers = signed(delivery, body, at)
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == Webhook(SECRET).sign(str(delivery.id), at, body.decode())


def test_the_schedule_is_the_standards_and_ends() -> None:
    middle = [next_delay(tries, None, 0.5) for tries in range(1, 11)]
    assert middle == [pytest.approx(delay) for delay in DELAYS] + [None]
    assert DELAYS[0] == 5
    assert sum(DELAYS) / 3600 == pytest.approx(75.6, abs=0.1)
    assert sum(DELAYS) * (1 + JITTER) < SCHEDULE_SECONDS


def test_jitter_spreads_by_a_tenth_and_the_longer_wish_wins() -> None:
    assert next_delay(2, None, 0.0) == pytest.approx(270)
    assert next_delay(2, None, 1.0) == pytest.approx(330)
    assert next_delay(2, 10, 0.5) == pytest.approx(300)
    assert next_delay(2, 4000, 0.5) == 4000
    assert next_delay(1, 1e12, 0.5) == DELAYS[-1]


def test_the_last_attempt_fails_for_good_and_says_that_the_endpoint_is_lost() -> None:
    last = len(DELAYS) + 1
    outcome = judge(Reply(500, 60), last, 0.5)
    assert (outcome.status, outcome.http_status, outcome.hopeless) == (DeliveryStatus.FAILED, 500, True)
    assert outcome.error == f"the endpoint answered 500; given up after {last} attempts"
    assert judge(Reply(200, None), last, 0.5).status is DeliveryStatus.DELIVERED


@pytest.mark.parametrize(("status", "hopeless"), [(410, True), (400, False), (404, False)])
def test_a_refusal_is_final_and_only_one_of_them_is_the_endpoints(status: int, *, hopeless: bool) -> None:
    outcome = judge(Reply(status, None), 1, 0.5)
    assert (outcome.status, outcome.hopeless) == (DeliveryStatus.FAILED, hopeless)
