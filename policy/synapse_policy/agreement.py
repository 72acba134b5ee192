"""How far the two locks may differ before the difference is itself a violation.

Sums of the same addends agree to rounding. Estimates may differ by what separates two honest
formulas; beyond that one of the two is broken, and which one does not matter.
"""

from synapse_policy.judging import Report

EXACT_GIB = 0.02
"""For figures that both locks add up or look up: two printed decimals."""
ENGINE_LESS_GIB = 0.25
"""By so much the plan may need less for an engine than the pack does."""
ENGINE_MORE_GIB = 1.25
"""By so much the plan may need more: its larger margin, repacked 4-bit weights (0.5), and what the
two say about CUDA graphs inside the share."""
CACHE_FRACTION = 0.15
"""For the KV cache of one sequence: layers with a sliding window are padded to groups, 13 % for one
model of 62 layers, and a sequence takes whole blocks."""
OUTSIDE_GIB = 0.6
"""For what lies outside the engine's share: CUDA graphs before 0.17 scatter by more than that."""
OUTSIDE_SGLANG_GIB = 0.9
"""SGLang leaves its work space outside its fraction as well, so both estimates lie there."""
OLLAMA_GIB, OLLAMA_FRACTION = 0.5, 0.1
"""For a loaded model of Ollama's: its buffers are an estimate in both, the larger bound holds."""


def ollama_tolerance_gib(gib: float) -> float:
    """Return by how much the RAM of loaded models may differ."""
    return max(OLLAMA_GIB, OLLAMA_FRACTION * gib)


class Comparison:
    """Reports where the plan says one thing and the pack finds another."""

    def __init__(self, report: Report, found_by: str) -> None:
        self._report = report
        self._found_by = found_by

    def figures(
        self, what: str, plan_gib: float, own_gib: float, less: float, more: float | None = None
    ) -> None:
        """Compare two figures in GiB: the plan's at most `less` below the other, `more` above."""
        more = less if more is None else more
        if not own_gib - less <= plan_gib <= own_gib + more:
            self._report(
                f"{what}: the plan says {plan_gib:.2f} GiB, {self._found_by} {own_gib:.2f} GiB "
                f"(allowed: {less:.2f} less to {more:.2f} more); {_CURE}"
            )

    def values(self, what: str, plan_value: object, own_value: object) -> None:
        """Compare two values that have to be the same."""
        if plan_value != own_value:
            self._report(
                f"{what}: the plan says {plan_value}, {self._found_by} {own_value}; {_CURE}"
            )

    def missing(self, what: str) -> None:
        """Report something that the plan leaves out."""
        self._report(f"{what}: the plan says nothing, {self._found_by} that it exists; {_CURE}")


_CURE = (
    "one of the two locks is wrong: change the config and not the resource, or report the formula"
)
