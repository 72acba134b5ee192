"""The pack's own sum of what an engine takes, and of the least with which it starts.

Sources: published start-up logs of vLLM (medians of 63 to 131 reports) and vLLM's own issues, named
beside each figure. It keeps a margin of its own, smaller than the plan's, so that what the plan
accepts with its margin the pack does not refuse.
"""

from dataclasses import dataclass

from synapse_policy import facts
from synapse_policy.containers import Container
from synapse_policy.reading import UnreadableError
from synapse_policy.words import Addend, total_gib

WEIGHTS, CACHE = "weights", "KV cache"
"""How the lines begin that hardly differ between two honest sums."""

_GIB = 2**30

_MARGIN_GIB = 0.4
"""The rule for activations is out by at most 0.22 GiB in 90 % of 63 logs; about double."""
CONTEXT_GIB = 0.36
"""The driver's context, in no engine's budget (nvidia-smi beside the 0.9.2 log on an A100)."""
_GRAPHS_GIB_A_LAYER, _GRAPHS_LARGE_GIB_A_LAYER = 0.02, 0.026
"""CUDA graphs (0.19): 0.79 GiB at 48 layers on an A10G; with an H100's larger batches 0.81 at 28
layers to 1.79 at 80."""
_EARLY_GRAPHS_GIB_A_LAYER, _EARLY_GRAPHS_MOST_GIB = 0.055, 3.46
"""Before 0.17, scattered: 2.24 GiB at 36 layers, and 3.46 the most that was ever printed."""
_SORTED_LOGITS, _LEAN_LOGITS = 9.7, 3.9
"""Copies of 32-bit logits that a sampling step holds, up to 0.16 and from 0.17 on."""
_OUTSIDE_TORCH_GIB, _OUTSIDE_TORCH_PARALLEL_GIB = 0.25, 2.0
_SMALL_CARD, _LARGE_CARD = (256, 2048), (1024, 8192)
"""Default sequences and batched tokens; the large ones from 70 GiB on, and not on an A100."""
_HOPPER = 9.0
_SGLANG_LIKE_VLLM = "0.20.2"
_UNBOUNDED = 32768
"""V0 runs a longer context in chunks of 2048 tokens, and a shorter one whole."""


@dataclass(frozen=True, kw_only=True)
class EngineAsk:
    """What an engine is told; None leaves the engine its default."""

    kind: str
    repository: str
    version: str
    fraction: float | None
    max_model_len: int | None
    max_num_seqs: int | None
    max_num_batched_tokens: int | None
    small_kv: bool
    eager: bool
    parallel: int = 1


@dataclass(frozen=True, kw_only=True)
class EngineSum:
    """An engine on one GPU, in GiB: its share, what lies beside it, what the share has to hold."""

    fraction: float
    gpu_gib: float
    outside_gib: float
    needs: tuple[Addend, ...]

    @property
    def share_gib(self) -> float:
        """What it reserves, needed or not."""
        return self.fraction * self.gpu_gib

    @property
    def taken_gib(self) -> float:
        """What the GPU loses to it."""
        return self.share_gib + self.outside_gib

    @property
    def needs_gib(self) -> float:
        """The least share with which it starts."""
        return total_gib(self.needs)

    @property
    def words(self) -> str:
        """How the share came about."""
        return f"{self.fraction:.2f} × {self.gpu_gib:.2f} + {self.outside_gib:.2f} outside ="


def asked_by(container: Container, version: str | None = None) -> EngineAsk:
    """Read an engine's container; its image's tag tells the version unless it is given."""
    flags = container.command_line
    if flags.has("--config"):
        raise UnreadableError("--config hides the engine's flags in a file; write them as args")
    if flags.has("--kv-cache-memory-bytes", "--kv-cache-memory"):
        raise UnreadableError(
            "--kv-cache-memory-bytes sets the share aside; use --gpu-memory-utilization"
        )
    repository = flags.value("--model", "--model-path") or flags.served_model
    if repository is None:
        raise UnreadableError("no --model says what it loads; add it to the args")
    kind = container.engine or "vllm"
    version = version or container.version
    if version is None and kind == "vllm":
        raise UnreadableError(
            f"the image {container.image!r} has no version in its tag; tag it by its vLLM version"
        )
    dtype = flags.value("--kv-cache-dtype") or "auto"
    eager = flags.has("--enforce-eager", "--disable-cuda-graph")
    return EngineAsk(
        kind=kind,
        repository=repository,
        version=version or "",
        fraction=flags.fraction(_fraction_flag(kind)),
        max_model_len=flags.count("--max-model-len", "--context-length"),
        max_num_seqs=flags.count("--max-num-seqs", "--max-running-requests"),
        max_num_batched_tokens=flags.count("--max-num-batched-tokens", "--chunked-prefill-size"),
        small_kv=dtype.startswith("fp8"),
        eager=eager and not flags.has("--no-enforce-eager"),
        parallel=flags.count("--tensor-parallel-size", "--tp-size") or 1,
    )


def _fraction_flag(kind: str) -> str:
    return "--mem-fraction-static" if kind == "sglang" else "--gpu-memory-utilization"


def engine_sum(ask: EngineAsk, gpu_name: str) -> EngineSum:
    """Add up one engine on one GPU of the catalogue."""
    found = facts.engine_weights(ask.repository)
    sglang = ask.kind == "sglang"
    release = facts.vllm_release(_SGLANG_LIKE_VLLM if sglang else ask.version)
    gpu = facts.gpu(gpu_name)
    gpu_gib = gpu.total_gib
    model = found.model.architecture
    length = ask.max_model_len or model.max_context_tokens
    whole = not release.v1 and length <= _UNBOUNDED
    large = release.v1 and gpu_gib >= 70 and float(gpu.compute_capability) >= _HOPPER
    seqs, batch = _LARGE_CARD if large else _SMALL_CARD
    if whole:
        batch = max(length, batch)
    seqs, batch = ask.max_num_seqs or seqs, ask.max_num_batched_tokens or batch

    samples = release.v1 or whole
    copies = _LEAN_LOGITS if release.sampler == "v1-lean" else _SORTED_LOGITS
    logits = seqs * model.vocab * copies * 4 if samples else 0
    mlp = batch * 6 * (model.intermediate / ask.parallel + model.hidden)
    activations = Addend("activations", max(logits, mlp) / _GIB)
    parallel = ask.parallel > 1
    beside_torch = Addend(
        "outside PyTorch", _OUTSIDE_TORCH_PARALLEL_GIB if parallel else _OUTSIDE_TORCH_GIB
    )
    graphs = Addend("CUDA graphs", _graphs_gib(model.layers, seqs, ask.eager, release.sampler))
    weights = Addend(WEIGHTS, found.format.weights_gib / ask.parallel)

    window = model.sliding_window
    local = window.local_layers if window and release.hybrid_kv_manager else 0
    kept = min(length, window.window_tokens + batch) if window else length
    layer_tokens = (model.layers - local) * length + local * kept
    heads = max(1, model.kv_heads / ask.parallel)
    token_bytes = 2 * heads * model.head_dim * (1 if ask.small_kv else 2)
    sequence = Addend(f"{CACHE} of {length} tokens", layer_tokens * token_bytes / _GIB)

    working = (activations, beside_torch)
    inside_share = (weights, sequence, Addend("margin", _MARGIN_GIB))
    if sglang:  # its fraction holds weights and cache alone
        beside, needs = [*working, graphs], [*inside_share]
    elif release.graphs_inside_budget:
        beside, needs = [], [*working, graphs, *inside_share]
    else:
        beside, needs = [graphs], [*working, *inside_share]
    fraction = ask.fraction
    if fraction is None:
        if sglang:
            raise UnreadableError("no --mem-fraction-static says what it takes; add it to the args")
        fraction = release.default_utilization
    return EngineSum(
        fraction=fraction,
        gpu_gib=gpu_gib,
        outside_gib=CONTEXT_GIB + total_gib(beside),
        needs=tuple(sorted(needs, key=lambda line: -line.gib)),
    )


def _graphs_gib(layers: int, seqs: int, eager: bool, sampler: str) -> float:
    if eager:
        return 0.0
    if sampler == "v1-lean":
        large = seqs >= _LARGE_CARD[0]
        return layers * (_GRAPHS_LARGE_GIB_A_LAYER if large else _GRAPHS_GIB_A_LAYER)
    return min(layers * _EARLY_GRAPHS_GIB_A_LAYER, _EARLY_GRAPHS_MOST_GIB)
