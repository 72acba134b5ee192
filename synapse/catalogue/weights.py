"""What a model's weights take when nobody has published the figure: a count of bytes by format.

Quantisers leave embeddings and lm_head (and a vision tower) in 16 bit. Counting them so meets the
loaded sizes that vLLM printed to 1 % in the median; parameters x bits alone is 27 % too low for
4-bit formats (tests/data/memory, tests/unit/test_catalogue.py).
"""

from typing import Final

from synapse.catalogue.schema import Architecture
from synapse.catalogue.units import BYTES_PER_GIB

BYTES_16BIT: Final = 2.0
GROUP: Final = 128
"""Weights that share one scale in AWQ and GPTQ."""

LINEAR_BYTES: Final[dict[str, float]] = {
    "bf16": BYTES_16BIT,
    "fp8": 1.0,
    "int8-w8a8": 1.0,
    "awq-int4": 0.5 + (BYTES_16BIT + 0.5) / GROUP,  # a 16-bit scale and a 4-bit zero for each group
    "gptq-int4": 0.5 + (BYTES_16BIT + 0.5) / GROUP,
    "nvfp4": 0.5 + 1 / 16,  # an fp8 scale for each 16 weights
}
"""Bytes of one weight of a linear layer, with its share of the scales."""

GGUF_BYTES: Final[dict[str, float]] = {
    "f16": 2.0,
    "q8_0": 34 / 32,
    "q6_K": 210 / 256,
    "q5_K_M": 5.7 / 8,
    "q4_K_M": 4.9 / 8,
    "q4_0": 18 / 32,
}
"""Bytes of one weight of a GGUF file, embeddings included; the K_M mixes are averages. A vision
tower (the projector) stays in 16 bit."""


def counted_weights_gib(
    architecture: Architecture, params_billion: float, vision_params_billion: float, name: str
) -> float:
    """GiB of the weights in the format `name`: linear layers by its bits, the rest in 16 bit."""
    kept = vision_params_billion * 1e9
    if name in GGUF_BYTES:
        bytes_each = GGUF_BYTES[name]
    else:
        bytes_each = LINEAR_BYTES[name]
        tables = 1 if architecture.tied_embeddings else 2
        kept += tables * architecture.vocab * architecture.hidden
    quantised = params_billion * 1e9 - kept
    return (quantised * bytes_each + kept * BYTES_16BIT) / BYTES_PER_GIB
