"""Whether personal data can be replaced here, and that nothing is stored as it came where it should have been."""

from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec

from aico.core.errors import InvalidInput, Unavailable
from aico.core.redaction import Detector, PiiPolicy, redacted, redacted_text
from aico.core.settings import Settings
from aico.core.submission import Submission

_TEXTS = 2  # beside the prompt, tools, metadata and what is shown again, together as long as a prompt may be


class Redactor:
    """Made once a process. Without the setting the libraries are not even imported."""

    def __init__(self, settings: Settings) -> None:
        self._most_characters = _TEXTS * settings.max_prompt_chars
        self._detector = None if settings.pii_redaction == "off" else _detector(settings.pii_phone_region)

    def needed(self, submission: Submission, policy: PiiPolicy) -> bool:
        """A caller may ask for more than the tenant's policy, and never for less."""
        return submission.redact or policy is PiiPolicy.REDACT

    def clean(self, submission: Submission) -> Submission:
        """Linear in the text, on the CPU: callers with an event loop do it in a thread.

        Raises Unavailable where nothing can be replaced here: then nothing may be stored. Raises PayloadTooLarge.
        """
        return replace(redacted(submission, self._able(), self._most_characters), redact=False)

    def clean_text(self, text: str) -> str:
        """Likewise, of a short text beside a submission."""
        return redacted_text(text, self._able())

    def _able(self) -> Detector:
        if self._detector is None:
            raise Unavailable("personal data is to be replaced, and this service is not set up for it")
        return self._detector


def _detector(region: str) -> Detector:
    missing = [name for name in ("phonenumbers", "stdnum") if find_spec(name) is None]
    if missing:
        raise InvalidInput("PII_REDACTION: install the extra `pii` (requirements/pii.txt)")
    try:
        detector: Detector = import_module("aico.privacy.detector").PatternDetector(region)
    except ValueError as error:
        raise InvalidInput(f"PII_PHONE_REGION: {error}") from error
    return detector
