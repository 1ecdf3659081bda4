import pytest

from aico.embedding_service.verification.comparison import Verifier
from aico.embedding_service.verification.vectors import WordVectors


@pytest.fixture(scope="session")
def verifier() -> Verifier:
    """With the word vectors of the bundled model where it is installed, as a worker has it."""
    return Verifier(WordVectors.bundled())
