"""The catalogue: every figure has a source, agrees with its neighbours, and a miss helps."""

import re
import subprocess
import sys

import pytest
from pydantic import ValidationError

from synapse.catalogue import Architecture, Image, UnknownEntryError, load_catalogue
from synapse.catalogue.release import parse_version
from synapse.catalogue.units import gib_from_gb
from synapse.catalogue.weights import GGUF_BYTES, LINEAR_BYTES, counted_weights_gib
from tests.data.memory.reports import architectures

CATALOGUE = load_catalogue()
FORMATS = [(model, weights) for model in CATALOGUE.models for weights in model.formats]


def test_every_entry_has_a_source() -> None:
    sources = [entry.source for entry in CATALOGUE.gpus]
    sources += [entry.source for entry in CATALOGUE.images]
    sources += [entry.source for entry in CATALOGUE.speech]
    sources += [model.architecture.source for model in CATALOGUE.models]
    sources += [weights.source for _, weights in FORMATS]
    assert all(len(source) > 10 for source in sources)


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("llama3.2:3b", "llama-3.2-3b"),
        ("llama3.1:8b", "llama-3.1-8b"),
        ("qwen2.5:7b", "qwen2.5-7b"),
        ("mistral:7b", "mistral-7b"),
        ("codellama:7b", "codellama-7b"),
        ("nomic-embed-text", "nomic-embed-text"),
        ("nomic-embed-text:latest", "nomic-embed-text"),
    ],
)
def test_the_models_of_seeds_and_forge_are_there(tag: str, name: str) -> None:
    assert CATALOGUE.by_ollama(tag).model.name == name


def test_the_guide_s_engine_model_is_found_by_its_repository() -> None:
    found = CATALOGUE.by_hugging_face("meta-llama/Meta-Llama-3.1-8B-Instruct")
    assert (found.model.name, found.format.name, found.format.gated) == (
        "llama-3.1-8b",
        "bf16",
        True,
    )
    awq = CATALOGUE.by_hugging_face("hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4")
    assert awq.model == found.model
    assert awq.format.weights_gib == pytest.approx(5.34, abs=0.01)
    assert not awq.format.gated


@pytest.mark.parametrize(
    "wanted",
    ["llama-3.2-1b", "llama-3.2-3b", "gemma2-9b", "gemma3-12b", "bge-m3", "bge-large"]
    + [f"qwen2.5-{size}" for size in ("1.5b", "3b", "7b", "14b", "32b")]
    + [f"qwen3-{size}" for size in ("0.6b", "1.7b", "4b", "8b", "14b", "32b")],
)
def test_the_models_that_users_reach_for_are_there(wanted: str) -> None:
    assert CATALOGUE.model(wanted).formats


@pytest.mark.parametrize(
    "name", ["rtx-3090", "rtx-4090", "rtx-5090", "l4", "a10", "a100-80", "h100-80"]
)
def test_the_gpus_are_there_by_name_and_by_label(name: str) -> None:
    gpu = CATALOGUE.gpu(name)
    assert CATALOGUE.gpu(gpu.product_labels[0]) == gpu


def test_no_name_repository_tag_or_label_means_two_things() -> None:
    lists: list[list[str]] = [
        [model.name for model in CATALOGUE.models],
        [gpu.name for gpu in CATALOGUE.gpus],
        [image.name for image in CATALOGUE.images],
        [speech.name for speech in CATALOGUE.speech],
        [tag for _, weights in FORMATS for tag in weights.ollama],
        [repository.casefold() for _, weights in FORMATS for repository in weights.hugging_face],
        [label for gpu in CATALOGUE.gpus for label in gpu.product_labels],
        *([str(weights.name) for weights in model.formats] for model in CATALOGUE.models),
    ]
    for names in lists:
        assert len(names) == len(set(names)), sorted(names)


def test_a_format_is_an_engine_s_or_ollama_s() -> None:
    for model, weights in FORMATS:
        gguf = weights.name in GGUF_BYTES
        assert bool(weights.ollama) == gguf, (model.name, weights.name)
        assert bool(weights.hugging_face) != gguf, (model.name, weights.name)


def test_weights_agree_with_parameters_and_format() -> None:
    for model, weights in FORMATS:
        vision = model.vision_params_billion
        counted = counted_weights_gib(
            model.architecture, model.params_billion, vision, weights.name
        )
        # GGUF mixes vary; below 2B most of the file are tables, kept at 6 or 8 bit, some twice
        tolerance = 0.03
        if weights.name in GGUF_BYTES:
            tolerance = 0.12 if model.params_billion > 2 else 0.5
        assert weights.weights_gib == pytest.approx(counted, rel=tolerance), (
            f"{model.name} {weights.name}: {weights.weights_gib:.2f}, counted {counted:.2f}"
        )


def test_parameters_agree_with_the_architecture() -> None:
    for model in CATALOGUE.models:
        a = model.architecture
        attention = 2 * a.hidden * a.head_dim * (a.attention_heads + a.kv_heads)
        gates = 2 if model.kind == "embedding" and "nomic" not in model.name else 3
        layer = attention + gates * a.hidden * a.intermediate
        tables = (1 if a.tied_embeddings else 2) * a.vocab * a.hidden
        counted = (a.layers * layer + tables) / 1e9 + model.vision_params_billion
        assert model.params_billion == pytest.approx(counted, rel=0.03), model.name


def test_architectures_agree_with_those_checked_by_bytes_per_token() -> None:
    checked = {Architecture.model_validate(e["architecture"]): e for e in architectures().values()}
    compared = 0
    for model in CATALOGUE.models:
        for other, entry in checked.items():
            mine = model.architecture
            same = {"source": other.source, "max_context_tokens": other.max_context_tokens}
            if mine.model_copy(update=same) == other:
                per_token = 2 * mine.layers * mine.kv_heads * mine.head_dim * 2
                assert per_token == entry["kv_bytes_per_token_16bit"], model.name
                compared += 1
    chat = [model for model in CATALOGUE.models if model.kind != "embedding"]
    assert compared == len(chat)


def test_what_an_engine_sees_is_less_than_the_box_says() -> None:
    for gpu in CATALOGUE.gpus:
        assert 0.9 * gpu.nominal_gb < gpu.total_gib < gpu.nominal_gb, gpu.name
        assert gpu.sm.startswith("sm_")
    assert CATALOGUE.gpu("rtx-5090").total_gib == pytest.approx(31.36)
    assert CATALOGUE.gpu("rtx-5090").sm == "sm_120"


def test_images_are_pinned() -> None:
    for image in CATALOGUE.images:
        assert image.tag not in {"latest", "main", "lts"}
        assert re.search(r"\d", image.tag)
        assert image.digest or image.digest_note, image.name
        assert "/" in image.repository and "." in image.repository.split("/")[0]


def test_a_digest_is_part_of_the_reference() -> None:
    kubectl = CATALOGUE.image("kubectl")
    assert kubectl.reference == "registry.k8s.io/kubectl:v1.35.4"
    digest = "sha256:" + "0" * 64
    pinned = Image.model_validate({**kubectl.model_dump(), "digest": digest})
    assert pinned.reference == f"registry.k8s.io/kubectl:v1.35.4@{digest}"


def test_the_forge_s_engine_image_runs_on_its_gpu() -> None:
    release = CATALOGUE.vllm.release(CATALOGUE.image("vllm-rtx5090").version)
    assert release.refusal(CATALOGUE.gpu("rtx-5090").compute_capability) is None


@pytest.mark.parametrize("version", ["0.8.1", "v0.8.5.post1", "0.9.1", "0.10.0"])
def test_versions_that_cannot_run_on_a_5090_are_refused(version: str) -> None:
    reason = CATALOGUE.vllm.release(version).refusal("12.0")
    assert reason is not None
    assert "0.9.2" in reason
    assert CATALOGUE.vllm.release(version).refusal("8.9") is None


@pytest.mark.parametrize("version", ["0.9.2", "0.10.1", "0.20.2"])
def test_versions_that_can_are_not(version: str) -> None:
    assert CATALOGUE.vllm.release(version).refusal("12.0") is None


def test_what_changed_between_versions() -> None:
    old, middle, new = map(CATALOGUE.vllm.release, ("0.8.1", "0.20.2", "0.21.0"))
    assert (old.sampler, middle.sampler) == ("v1-sort", "v1-lean")
    assert CATALOGUE.vllm.release("0.7.3").sampler == "v0"
    assert [r.graphs_inside_budget for r in (old, middle, new)] == [False, False, True]
    assert [r.attention_backend_env for r in (old, middle)] == [True, False]
    assert [r.attention_backend_flag for r in (old, middle)] == [False, True]
    assert [r.default_utilization for r in (middle, new)] == [0.9, 0.92]
    assert old.kv_usage_metric == "vllm:gpu_cache_usage_perc"
    assert middle.kv_usage_metric == "vllm:kv_cache_usage_perc"


def test_what_a_version_no_longer_reads_is_known_with_its_source() -> None:
    gone = {one.name for one in CATALOGUE.vllm.release("0.14.0").withdrawn}
    assert {"VLLM_ATTENTION_BACKEND", "VLLM_FLASH_ATTN_VERSION"} <= gone
    earlier = {one.name for one in CATALOGUE.vllm.release("0.13.0").withdrawn}
    assert "VLLM_ATTENTION_BACKEND" not in earlier
    assert "--disable-log-requests" in earlier
    assert CATALOGUE.vllm.release("0.9.2").withdrawn == ()
    assert all(one.instead and len(one.source) > 10 for one in CATALOGUE.vllm.withdrawn)


def test_versions_are_read_from_tags() -> None:
    assert parse_version("v0.20.2-cu129-ubuntu2404") == (0, 20, 2)
    assert parse_version("0.8.5.post1") == (0, 8, 5)
    assert parse_version("0.9") == (0, 9, 0)
    with pytest.raises(ValueError, match="is not a version"):
        parse_version("latest")


def test_a_miss_names_the_closest() -> None:
    with pytest.raises(UnknownEntryError) as miss:
        CATALOGUE.model("llama-3.2-8b")
    assert miss.value.kind == "model"
    assert miss.value.name == "llama-3.2-8b"
    assert "llama-3.1-8b" in miss.value.closest
    assert "llama-3.1-8b" in str(miss.value)
    for look_up, wrong, right in (
        (CATALOGUE.by_ollama, "llama3.1:8", "llama3.1:8b"),
        (CATALOGUE.by_hugging_face, "Qwen/Qwen3-8B-AWK", "Qwen/Qwen3-8B-AWQ"),
        (CATALOGUE.gpu, "RTX-5090", "rtx-5090"),
        (CATALOGUE.image, "lite-llm", "litellm"),
        (CATALOGUE.speech_model, "xtts", "xtts-v2"),
        (CATALOGUE.model("qwen3-8b").format, "awq", "awq-int4"),
    ):
        with pytest.raises(UnknownEntryError) as miss:
            look_up(wrong)
        assert right in miss.value.closest
    with pytest.raises(UnknownEntryError, match="known are"):
        CATALOGUE.gpu("zzz")


def test_an_unknown_key_is_an_error() -> None:
    gpu = CATALOGUE.gpu("l4").model_dump()
    with pytest.raises(ValidationError):
        type(CATALOGUE.gpu("l4")).model_validate({**gpu, "vram": 24})


def test_sizes_on_disk_are_the_published_ones() -> None:
    q4 = CATALOGUE.by_ollama("llama3.1:8b").format
    assert q4.disk_gib == pytest.approx(gib_from_gb(4.92))
    assert q4.weights_origin == "files"
    assert CATALOGUE.model("llama-3.1-8b").format("fp8").weights_origin == "computed"
    assert set(LINEAR_BYTES).isdisjoint(GGUF_BYTES)


def test_the_catalogue_imports_neither_pulumi_nor_the_settings() -> None:
    code = (
        "import sys; from synapse.catalogue import load_catalogue; load_catalogue();"
        "bad = [m for m in sys.modules if m.split('.')[0] == 'pulumi' or 'synapse.settings' in m];"
        "sys.exit(repr(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
