"""all-MiniLM-L6-v2 as an OpenVINO graph straight from the official float32 weights.

A BERT encoder (Devlin et al., 2019) with post-layer normalisation and exact GELU, then the sum over the mask. The sum
points where the mean of Sentence-BERT (Reimers and Gurevych, 2019) points, and vectors are brought to length 1 anyway.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from aico.embedding_service.model_files import EncoderShape
from aico.embedding_service.quiet_openvino import op, ov

MASKED = -1e9  # added to the attention score of padding: its softmax weight becomes zero

Weights = Mapping[str, NDArray[np.float32]]


def build(weights: Weights, shape: EncoderShape) -> ov.Model:
    """Inputs: `ids` int32 and `mask` float32, both (texts, tokens). Output: float32 (texts, hidden), not normalised."""
    ids = op.parameter([-1, -1], np.int32, "ids")
    mask = op.parameter([-1, -1], np.float32, "mask")
    graph = _Graph(weights, shape)
    hidden = graph.embeddings(ids)
    score_mask = op.unsqueeze(op.multiply(op.subtract(_floats(1), mask), _floats(MASKED)), _ints(1, 2))
    for layer in range(shape.layers):
        hidden = graph.layer(f"encoder.layer.{layer}", hidden, score_mask)
    summed = op.matmul(op.unsqueeze(mask, _ints(1)), hidden, transpose_a=False, transpose_b=False)
    return ov.Model([op.squeeze(summed, _ints(1))], [ids, mask], "all-MiniLM-L6-v2")


class _Graph:
    def __init__(self, weights: Weights, shape: EncoderShape) -> None:
        self._weights = weights
        self._shape = shape

    def embeddings(self, ids: ov.Node) -> ov.Node:
        """Word plus position plus the one segment that a single text has."""
        words = _constant(self._weights["embeddings.word_embeddings.weight"])
        positions = (
            self._weights["embeddings.position_embeddings.weight"]
            + self._weights["embeddings.token_type_embeddings.weight"][0]
        )
        tokens = op.gather(op.shape_of(ids, "i32"), _ints(1), _ints(0))
        first_positions = op.slice(_constant(positions), _ints(0), tokens, _ints(1), _ints(0))
        return self._normalised("embeddings.LayerNorm", op.add(op.gather(words, ids, _ints(0)), first_positions))

    def layer(self, name: str, hidden: ov.Node, score_mask: ov.Node) -> ov.Node:
        attended = self._linear(f"{name}.attention.output.dense", self._attention(name, hidden, score_mask))
        hidden = self._normalised(f"{name}.attention.output.LayerNorm", op.add(hidden, attended))
        wide = op.gelu(self._linear(f"{name}.intermediate.dense", hidden), "erf")
        narrow = self._linear(f"{name}.output.dense", wide)
        return self._normalised(f"{name}.output.LayerNorm", op.add(hidden, narrow))

    def _attention(self, name: str, hidden: ov.Node, score_mask: ov.Node) -> ov.Node:
        query, key, value = (
            self._split_heads(self._linear(f"{name}.attention.self.{part}", hidden))
            for part in ("query", "key", "value")
        )
        context = op.scaled_dot_product_attention(query, key, value, score_mask)
        side_by_side = op.transpose(context, _ints(0, 2, 1, 3))
        return op.reshape(side_by_side, _ints(0, 0, self._shape.hidden), special_zero=True)

    def _split_heads(self, hidden: ov.Node) -> ov.Node:
        heads, width = self._shape.heads, self._shape.hidden // self._shape.heads
        return op.transpose(op.reshape(hidden, _ints(0, 0, heads, width), special_zero=True), _ints(0, 2, 1, 3))

    def _linear(self, name: str, hidden: ov.Node) -> ov.Node:
        weight, bias = _constant(self._weights[f"{name}.weight"]), _constant(self._weights[f"{name}.bias"])
        return op.add(op.matmul(hidden, weight, transpose_a=False, transpose_b=True), bias)

    def _normalised(self, name: str, hidden: ov.Node) -> ov.Node:
        centred = op.mvn(
            hidden, _ints(-1), normalize_variance=True, eps=self._shape.layer_norm_eps, eps_mode="inside_sqrt"
        )
        weight, bias = _constant(self._weights[f"{name}.weight"]), _constant(self._weights[f"{name}.bias"])
        return op.add(op.multiply(centred, weight), bias)


def _constant(values: NDArray[np.float32]) -> ov.Node:
    return op.constant(np.ascontiguousarray(values))


def _floats(value: float) -> ov.Node:
    return op.constant(np.float32(value))


def _ints(*values: int) -> ov.Node:
    return op.constant(np.array(values, np.int32))
