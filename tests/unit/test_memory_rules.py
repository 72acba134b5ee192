"""Rules of the memory sums that the reports are too few to pin: worked by hand."""

from dataclasses import replace

import pytest

from synapse.catalogue import load_catalogue
from synapse.plan.memory import EngineWorkload, batch_limits, engine_memory, kv_bytes_per_token
from synapse.plan.ollama_memory import OllamaWorkload, ollama_model_memory
from tests.data.memory.reports import comparisons

CATALOGUE = load_catalogue()


def engine(
    model: str, weights: str, gpu: str = "rtx-5090", version: str = "0.20.2"
) -> EngineWorkload:
    return EngineWorkload(
        architecture=CATALOGUE.model(model).architecture,
        format=CATALOGUE.model(model).format(weights),
        gpu=CATALOGUE.gpu(gpu),
        release=CATALOGUE.vllm.release(version),
        utilization=0.75,
        max_model_len=8192,
    )


def test_the_forge_s_engine_by_hand() -> None:
    memory = engine_memory(engine("llama-3.1-8b", "awq-int4"))
    sampler = 256 * 128256 * 14.65 / 2**30
    residual = 2048 * 4096 * 2 * 2 / 2**30
    assert memory.share_gib == pytest.approx(0.75 * 31.36)
    assert memory.activation_gib == pytest.approx(sampler + residual)
    assert memory.kv_bytes_per_token == 131072
    assert memory.one_sequence_gib == pytest.approx(1.0)
    assert memory.fits
    # weights 5.34, activation 0.48, non-torch 0.25, repacking 0.5
    assert memory.kv_available_gib == pytest.approx(23.52 - 6.57, abs=0.02)


def test_only_four_bit_weights_are_repacked() -> None:
    for model in CATALOGUE.models:
        for weights in model.formats:
            if weights.hugging_face:
                memory = engine_memory(engine(model.name, weights.name))
                four_bit = weights.name.endswith(("int4", "fp4"))
                assert (memory.repack_gib > 0) == four_bit, (model.name, weights.name)


def test_big_cards_start_bigger_except_the_a100() -> None:
    for gpu, limits in (
        ("h100-80", (1024, 8192)),
        ("a100-80", (256, 2048)),
        ("rtx-5090", (256, 2048)),
    ):
        assert batch_limits(engine("llama-3.1-8b", "bf16", gpu)) == limits
    assert batch_limits(engine("llama-3.1-8b", "bf16", "l4", "0.7.3")) == (256, 8192)


def test_layer_groups_are_padded() -> None:
    """Gemma 3: 4B counts 35 layers for 34, 27B counts 70 for 62; 12B needs no padding."""
    for name, layers in (("gemma3-4b", 35), ("gemma3-12b", 48), ("gemma3-27b", 70)):
        workload = engine(name, "bf16")
        model = workload.architecture
        assert kv_bytes_per_token(workload) == 2 * 2 * layers * model.kv_heads * model.head_dim


def test_local_layers_keep_their_window_and_one_batch() -> None:
    """Gemma 3 12B at 32k: 8 full layers of 32768 tokens, 40 local ones of 1024 + 2048."""
    workload = replace(engine("gemma3-12b", "bf16"), max_model_len=32768)
    layer_tokens = 8 * 32768 + 40 * (1024 + 2048)
    wanted = layer_tokens * 2 * 8 * 256 * 2 / 2**30
    assert engine_memory(workload).one_sequence_gib == pytest.approx(wanted)
    first = replace(workload, release=CATALOGUE.vllm.release("0.11.0"))
    assert engine_memory(first).one_sequence_gib == pytest.approx(wanted)
    before = replace(workload, release=CATALOGUE.vllm.release("0.10.1"))
    assert engine_memory(before).one_sequence_gib == pytest.approx(48 * 32768 * 8192 / 2**30)


def test_a_sequence_takes_whole_blocks_of_16() -> None:
    sizes = [
        engine_memory(
            replace(engine("llama-3.1-8b", "bf16"), max_model_len=tokens)
        ).one_sequence_gib
        for tokens in (8177, 8192, 8193)
    ]
    assert sizes == pytest.approx([1.0, 1.0, 1.0 + 16 * 131072 / 2**30])


def test_the_mlp_is_split_over_gpus_the_residual_stream_is_not() -> None:
    """By vllm#10517's rule, with a batch so large that the sampler is not the peak."""
    large = replace(engine("llama-3.1-8b", "bf16"), max_num_batched_tokens=32768, max_num_seqs=1)
    for parallel in (1, 2):
        wanted = 32768 * 6 * (14336 / parallel + 4096) / 2**30
        memory = engine_memory(replace(large, tensor_parallel=parallel))
        assert memory.activation_gib == pytest.approx(wanted)


def test_the_mlp_peak_is_the_one_of_vllm_10517() -> None:
    """Mistral/Llama-sized layers, RTX 3090: 20k tokens took 2.07 GiB, 29k took 2.99."""
    base = replace(engine("llama-3.1-8b", "bf16", "rtx-3090", "0.7.3"), max_num_seqs=1)
    for tokens, printed in ((20_000, 2.07), (29_000, 2.99)):
        memory = engine_memory(replace(base, max_num_batched_tokens=tokens))
        assert memory.activation_gib == pytest.approx(printed, rel=0.03)


def test_eight_bit_weights_need_no_repacking_in_the_reports() -> None:
    for one in comparisons():
        if one.record["weight_format"] in {"fp8", "int8-w8a8"} and one.record["activation_gib"]:
            assert abs(one.error_gib) <= 0.2, one.label


@pytest.mark.parametrize(("kind", "bytes_each"), [("f16", 2), ("q8_0", 1.0625), ("q4_0", 0.5625)])
def test_ollama_cache_types(kind: str, bytes_each: float) -> None:
    found = CATALOGUE.by_ollama("llama3.1:8b")
    workload = OllamaWorkload(
        architecture=found.model.architecture,
        format=found.format,
        num_ctx=8192,
        num_parallel=2,
        kv_cache_type=kind,  # type: ignore[arg-type]  # parametrize hands over plain strings
    )
    assert ollama_model_memory(workload).kv_gib == pytest.approx(bytes_each)


def test_ollama_overhead_covers_what_its_estimates_did_not_list() -> None:
    """llama3:8b at 2048 tokens: 5.1 GiB in all, for parts that sum to 4.3."""
    found = CATALOGUE.by_ollama("llama3.1:8b")
    base = OllamaWorkload(architecture=found.model.architecture, format=found.format, num_ctx=2048)
    assert 5.1 + 0.1 <= ollama_model_memory(base).total_gib <= 5.1 + 0.8


def test_an_embedding_model_keeps_no_cache() -> None:
    found = CATALOGUE.by_ollama("nomic-embed-text")
    workload = OllamaWorkload(
        architecture=found.model.architecture, format=found.format, num_ctx=8192, embedding=True
    )
    memory = ollama_model_memory(workload)
    assert memory.kv_gib == 0
    assert memory.total_gib < 1.5
