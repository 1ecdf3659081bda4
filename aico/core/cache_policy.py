"""What a tenant allows of answers that are served for another question than their own."""

from enum import StrEnum

MAX_ERROR_RATE = 0.5  # per hit; nobody means more


class GuardPolicy(StrEnum):
    """Which differences between two questions forbid that one's answer is served for the other, whatever the score."""

    STRICT = "strict"  # any that is seen
    LENIENT = "lenient"  # in facts: numbers, units, quotations, code, languages
    OFF = "off"  # none: the score alone decides
