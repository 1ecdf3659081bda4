"""Rewrites reference.npy from texts.json with the reference implementation. Needs the torch extra."""

import json
from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformer

from aico.embedding_service.model_files import bundled_model_dir

HERE = Path(__file__).parent

if __name__ == "__main__":
    model = SentenceTransformer(str(bundled_model_dir()), device="cpu")
    vectors = model.encode(json.loads((HERE / "texts.json").read_text(encoding="utf-8")))
    np.save(HERE / "reference.npy", np.asarray(vectors, np.float16))
