"""What every part knows of the embedding model without loading it."""

DIMENSIONS = 384  # numbers in a vector: the width of the database's vector columns
BUNDLED_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
LEAST_SIMILARITY = 0.65  # cosine of two questions, below which one answer hardly ever serves both
BUNDLED_MAX_TOKENS = 256  # special tokens included


def names(model: str) -> frozenset[str]:
    """What callers may call it."""
    return frozenset({model, short_name(model)})


def short_name(model: str) -> str:
    """Without its publisher or folder."""
    return model.rsplit("/", 1)[-1]
