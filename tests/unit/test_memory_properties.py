"""What must hold of the memory sums whatever the numbers are."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from synapse.catalogue import load_catalogue
from synapse.catalogue.schema import SlidingWindow
from synapse.plan.memory import (
    BLOCK_TOKENS,
    CUDA_CONTEXT_GIB,
    SAFETY_MARGIN_GIB,
    EngineMemory,
    EngineWorkload,
    engine_memory,
    kv_bytes_per_token,
    minimum_utilization,
)
from synapse.plan.ollama_memory import OllamaWorkload, ollama_model_memory

CATALOGUE = load_catalogue()
ENGINE = [
    (model.architecture, weights)
    for model in CATALOGUE.models
    if model.kind != "embedding"
    for weights in model.formats
    if weights.hugging_face
]
OLLAMA = [
    (model, weights) for model in CATALOGUE.models for weights in model.formats if weights.ollama
]
VERSIONS = [
    "0.7.3",
    "0.8.5",
    "0.10.0",
    "0.11.0",
    "0.16.0",
    "0.17.1",
    "0.19.0",
    "0.20.2",
    "0.21.0",
    "0.28.0",
]


@st.composite
def engines(draw: st.DrawFn) -> EngineWorkload:
    architecture, weights = draw(st.sampled_from(ENGINE))
    return EngineWorkload(
        architecture=architecture,
        format=weights,
        gpu=draw(st.sampled_from(CATALOGUE.gpus)),
        release=CATALOGUE.vllm.release(draw(st.sampled_from(VERSIONS))),
        utilization=draw(st.floats(0.05, 1.0)),
        max_model_len=draw(st.integers(256, 131072)),
        max_num_seqs=draw(st.none() | st.integers(1, 1024)),
        max_num_batched_tokens=draw(st.none() | st.integers(256, 32768)),
        kv_cache_dtype=draw(st.sampled_from(["auto", "fp8"])),
        tensor_parallel=draw(st.sampled_from([1, 2, 4])),
        enforce_eager=draw(st.booleans()),
    )


def rebuilt(memory: EngineMemory) -> float:
    """The share from its parts, added here by hand."""
    parts = memory.weights_gib + memory.activation_gib + memory.non_torch_gib + memory.repack_gib
    inside = memory.graphs_gib if memory.graphs_inside_budget else 0
    return parts + inside + memory.kv_available_gib


@given(engines())
def test_the_parts_add_up_to_the_share(workload: EngineWorkload) -> None:
    memory = engine_memory(workload)
    assert memory.share_gib == workload.utilization * workload.gpu.total_gib
    assert abs(rebuilt(memory) - memory.share_gib) < 1e-9
    left = memory.kv_available_gib - memory.one_sequence_gib - SAFETY_MARGIN_GIB
    assert abs(memory.headroom_gib - left) < 1e-9
    assert not (memory.fits and memory.tight)
    assert memory.activation_gib > 0 and memory.graphs_gib >= 0


@given(engines(), st.floats(0.05, 1.0))
def test_more_utilisation_never_fits_less(workload: EngineWorkload, other: float) -> None:
    low, high = sorted([workload.utilization, other])
    less = engine_memory(replace(workload, utilization=low))
    more = engine_memory(replace(workload, utilization=high))
    assert more.headroom_gib >= less.headroom_gib
    assert more.kv_tokens >= less.kv_tokens
    assert more.fits or not less.fits
    assert more.peak_gib >= less.peak_gib


@given(engines(), st.integers(1, 100_000))
def test_a_longer_context_never_fits_better(workload: EngineWorkload, more: int) -> None:
    # the batch is fixed: V0 without one derives it from the context, in chunks above 32k
    fixed = replace(workload, max_num_batched_tokens=workload.max_num_batched_tokens or 2048)
    longer = replace(fixed, max_model_len=fixed.max_model_len + more)
    if fixed.release.v1:
        assert engine_memory(longer).headroom_gib <= engine_memory(fixed).headroom_gib
    assert engine_memory(longer).one_sequence_gib >= engine_memory(fixed).one_sequence_gib


@given(engines(), st.integers(1, 512))
def test_more_sequences_never_leave_more(workload: EngineWorkload, more: int) -> None:
    few = replace(workload, max_num_seqs=workload.max_num_seqs or 16)
    many = replace(few, max_num_seqs=(few.max_num_seqs or 0) + more)
    assert engine_memory(many).kv_available_gib <= engine_memory(few).kv_available_gib
    assert engine_memory(many).outside_gib >= engine_memory(few).outside_gib


@given(engines())
def test_a_full_sequence_fits_what_it_requires(workload: EngineWorkload) -> None:
    """One sequence of max_model_len, and its blocks, are what `kv_tokens` counts."""
    memory = engine_memory(workload)
    if workload.architecture.sliding_window is None:
        blocks = -(-workload.max_model_len // BLOCK_TOKENS)
        bytes_wanted = blocks * BLOCK_TOKENS * memory.kv_bytes_per_token
        assert abs(memory.one_sequence_gib * 2**30 - bytes_wanted) < 1
    if memory.headroom_gib >= 0 and workload.architecture.sliding_window is None:
        assert memory.kv_tokens >= workload.max_model_len


@given(engines())
def test_minimum_utilisation_is_the_least_that_fits(workload: EngineWorkload) -> None:
    least = minimum_utilization(workload)
    if least is None:
        assert not engine_memory(replace(workload, utilization=1.0)).fits
        return
    assert engine_memory(replace(workload, utilization=least + 1e-9)).fits
    assert not engine_memory(replace(workload, utilization=least - 0.01)).fits


@given(engines())
def test_fp8_cache_and_eager_mode_never_cost(workload: EngineWorkload) -> None:
    full = replace(workload, kv_cache_dtype="auto")
    assert kv_bytes_per_token(full) == 2 * kv_bytes_per_token(replace(full, kv_cache_dtype="fp8"))
    eager = engine_memory(replace(workload, enforce_eager=True))
    assert eager.graphs_gib == 0
    assert eager.outside_gib == CUDA_CONTEXT_GIB
    captured = engine_memory(replace(workload, enforce_eager=False))
    assert captured.outside_gib + captured.fixed_gib >= eager.outside_gib + eager.fixed_gib


@given(engines())
def test_two_gpus_halve_weights_and_cache(workload: EngineWorkload) -> None:
    one = engine_memory(replace(workload, tensor_parallel=1))
    two = engine_memory(replace(workload, tensor_parallel=2))
    assert abs(one.weights_gib - 2 * two.weights_gib) < 1e-9
    assert one.kv_bytes_per_token == 2 * two.kv_bytes_per_token
    assert two.non_torch_gib > one.non_torch_gib


@given(engines(), st.integers(1, 8192))
def test_a_window_never_needs_more_than_full_attention(
    workload: EngineWorkload, window: int
) -> None:
    layers = workload.architecture.layers
    # halves: no group is padded
    half = SlidingWindow(window_tokens=window, local_layers=layers // 2)
    even = workload.architecture.model_copy(update={"layers": 2 * (layers // 2)})
    full = replace(workload, architecture=even.model_copy(update={"sliding_window": None}))
    local = replace(workload, architecture=even.model_copy(update={"sliding_window": half}))
    assert engine_memory(local).one_sequence_gib <= engine_memory(full).one_sequence_gib
    assert kv_bytes_per_token(local) == kv_bytes_per_token(full)


@given(st.sampled_from(OLLAMA), st.integers(256, 65536), st.integers(1, 8), st.booleans())
def test_ollama_sums_grow_with_context_and_requests(
    entry: tuple[object, object], num_ctx: int, parallel: int, flash: bool
) -> None:
    model, weights = next(pair for pair in OLLAMA if pair == entry)
    one = OllamaWorkload(
        architecture=model.architecture,
        format=weights,
        num_ctx=num_ctx,
        num_parallel=parallel,
        flash_attention=flash,
        embedding=model.kind == "embedding",
    )
    memory = ollama_model_memory(one)
    parts = memory.weights_gib + memory.kv_gib + memory.compute_gib + memory.overhead_gib
    assert memory.total_gib == parts > weights.weights_gib
    assert ollama_model_memory(replace(one, num_ctx=num_ctx * 2)).total_gib >= memory.total_gib
    wider = ollama_model_memory(replace(one, num_parallel=parallel + 1))
    assert wider.total_gib >= memory.total_gib
    smaller = ollama_model_memory(replace(one, kv_cache_type="q8_0"))
    assert smaller.total_gib <= memory.total_gib
    if not one.embedding and model.architecture.sliding_window is None:
        assert memory.kv_gib > 0
        doubled = ollama_model_memory(replace(one, num_parallel=2 * parallel))
        assert abs(doubled.kv_gib - 2 * memory.kv_gib) < 1e-9
