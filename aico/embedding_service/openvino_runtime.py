from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from aico.core.embedding import DIMENSIONS
from aico.embedding_service.minilm_graph import build
from aico.embedding_service.model_files import read_safetensors, read_shape, tokenizer_file, weights_file
from aico.embedding_service.quiet_openvino import ov
from aico.embedding_service.tokenise import CPU_LIMITS, TokenBatch, Tokeniser, embed_in_batches
from aico.embedding_service.variant import bundled_fingerprint


def native_precision() -> str:
    """The arithmetic used here: bf16 where the CPU computes in it (measured 1.6 to 1.9 times as fast), f32 elsewhere.

    OpenVINO's own default is asked, because it also lists bf16 for CPUs that would only emulate it.
    """
    default = ov.Core().get_property("CPU", "INFERENCE_PRECISION_HINT")
    return "bf16" if default == ov.Type.bf16 else "f32"


class OpenVINOEmbedder:
    """all-MiniLM-L6-v2 on one CPU thread. Calls from several threads take turns; scale with processes."""

    dimensions = DIMENSIONS

    def __init__(self, folder: Path, *, precision: str) -> None:
        """`folder` holds the official model files; `precision` is f32 or bf16."""
        shape = read_shape(folder)
        self.fingerprint = bundled_fingerprint("openvino", precision, folder)
        self._tokeniser = Tokeniser(Tokenizer.from_file(str(tokenizer_file(folder))), max_tokens=shape.max_tokens)
        compiled = ov.Core().compile_model(
            build(read_safetensors(weights_file(folder)), shape),
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": precision,
                "INFERENCE_NUM_THREADS": 1,
                "NUM_STREAMS": 1,
                "PERFORMANCE_HINT": "LATENCY",
            },
        )
        self._request = compiled.create_infer_request()
        self._lock = Lock()

    def reads(self, text: str) -> bool:
        return self._tokeniser.reads(text)

    def count(self, text: str) -> int | None:
        return self._tokeniser.count(text)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return embed_in_batches(texts, self._tokeniser, CPU_LIMITS, self._encode)

    def _encode(self, batch: TokenBatch) -> NDArray[np.float32]:
        inputs = [batch.ids.astype(np.int32), batch.mask.astype(np.float32)]
        with self._lock:
            # Copied before the lock opens: the request's output buffer is reused by the next call.
            return np.array(self._request.infer(inputs, share_inputs=True, share_outputs=True)[0])
