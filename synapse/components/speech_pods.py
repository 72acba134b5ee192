"""The pods of the speech servers: Speaches, Coqui's XTTS, openedai-speech with Piper."""

from collections.abc import Mapping
from typing import TypedDict

from pulumi_kubernetes.apps.v1 import DeploymentSpecArgs, DeploymentStrategyArgs
from pulumi_kubernetes.core.v1 import (
    ContainerArgs,
    ContainerPortArgs,
    PodSpecArgs,
    PodTemplateSpecArgs,
    ProbeArgs,
    VolumeMountArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

from synapse.components.labels import labels
from synapse.components.leaving import (
    GRACE_SECONDS,
    before_end,
    served_labels,
    until_no_connection,
)
from synapse.components.pods import (
    PULL_POLICY,
    SCRATCH,
    claimed,
    container_security,
    environment,
    http_probe,
    pod_security,
    resources,
    scratch,
)
from synapse.components.priority import Priority, class_name
from synapse.components.speech_pull import HF_HOME, MODELS, UID, XTTS, licence_annotations
from synapse.components.speech_pull import PIPER as PIPER_FILES
from synapse.components.vram import DRIVER, VramWait
from synapse.components.waiting import ROLLOUT_SECONDS
from synapse.names import PIPER, STT, TTS, VRAM_ANNOTATION
from synapse.plan.disk import SPEECH_CLAIM
from synapse.plan.model import Plan, Workload

SPEACHES_PORT, COQUI_PORT, PIPER_PORT = 8000, 5002, 8000


def speaches(plan: Plan, wait: VramWait | None) -> DeploymentSpecArgs:
    """Whisper and Kokoro. `wait`: it is on the GPU."""
    stt, workload = plan.speech.stt, plan.workload(STT)
    told = {
        "HF_HOME": HF_HOME,
        "HF_HUB_OFFLINE": "1",
        "HOME": SCRATCH,
        "ENABLE_UI": "false",
        "LOG_LEVEL": "info",
        "WHISPER__INFERENCE_DEVICE": "cuda" if stt.device == "gpu" else "cpu",
        "WHISPER__COMPUTE_TYPE": stt.compute_type,
        "WHISPER__CPU_THREADS": str(stt.threads),
        # Loaded once, by the first request, and kept: a reload would cost more than the answer.
        "STT_MODEL_TTL": "-1",
        "TTS_MODEL_TTL": "-1",
    }
    if stt.device == "cpu":
        told |= {"CUDA_VISIBLE_DEVICES": "-1", "NVIDIA_VISIBLE_DEVICES": "void"}
    command = ["uvicorn", "--factory", "speaches.main:create_app"]
    container = ContainerArgs(
        name="speaches",
        image=stt.image,
        image_pull_policy=PULL_POLICY,
        command=wait.before(command) if wait else command,
        env=environment(told | (DRIVER if wait else {})),
        ports=[ContainerPortArgs(name="http", container_port=SPEACHES_PORT)],
        resources=resources(workload.pod, workload.gpus),
        security_context=container_security(),
        volume_mounts=_mounts(workload, wait),
        **_health("/health", SPEACHES_PORT, start_seconds=300),
    )
    annotations = {VRAM_ANNOTATION: f"{workload.vram_gib:g}"} if wait else {}
    return _deployment(plan, workload, container, annotations=annotations, wait=wait)


def coqui(plan: Plan, wait: VramWait) -> DeploymentSpecArgs:
    """XTTS, one request at a time: its server has a lock."""
    speech, workload = plan.speech, plan.workload(TTS)
    told = {
        "COQUI_TOS_AGREED": "1",  # as the annotations say, by whom and when
        "HF_HUB_OFFLINE": "1",
        "HOME": SCRATCH,
        "NUMBA_CACHE_DIR": f"{SCRATCH}/numba",
        "MPLCONFIGDIR": f"{SCRATCH}/matplotlib",
        **DRIVER,
    }
    container = ContainerArgs(
        name="coqui-tts",
        image=speech.coqui_image,
        image_pull_policy=PULL_POLICY,
        # The image's own entry point is another program. By its path the model is not looked up
        # on the hub, and `--use_cuda` does nothing.
        command=wait.before(["tts-server"]),
        args=[
            f"--model_path={XTTS}",
            f"--config_path={XTTS}/config.json",
            "--device=cuda",
            f"--port={COQUI_PORT}",
        ],
        env=environment(told),
        ports=[ContainerPortArgs(name="http", container_port=COQUI_PORT)],
        resources=resources(workload.pod, workload.gpus),
        security_context=container_security(),
        volume_mounts=_mounts(workload, wait),
        # It has no health of its own; its page is there once the model is loaded.
        **_health("/", COQUI_PORT, start_seconds=600),
        lifecycle=before_end(until_no_connection(COQUI_PORT)),
    )
    annotations = {VRAM_ANNOTATION: f"{workload.vram_gib:g}", **licence_annotations(plan)}
    return _deployment(plan, workload, container, annotations=annotations, wait=wait, drains=True)


def piper(plan: Plan) -> DeploymentSpecArgs:
    """The guide's voice: openedai-speech, on the CPU."""
    workload = plan.workload(PIPER)
    _, scratch_mount = scratch(workload.pod)
    container = ContainerArgs(
        name="openedai-speech",
        image=plan.speech.piper_image,
        image_pull_policy=PULL_POLICY,
        command=["python", "speech.py", "--xtts_device=none", f"--port={PIPER_PORT}"],
        env=environment(
            {
                "TTS_BACKEND": "piper",
                "TTS_HOME": "voices",
                "HF_HOME": "voices",
                "HOME": SCRATCH,
                "CUDA_VISIBLE_DEVICES": "-1",
                "NVIDIA_VISIBLE_DEVICES": "void",
            }
        ),
        ports=[ContainerPortArgs(name="http", container_port=PIPER_PORT)],
        resources=resources(workload.pod),
        security_context=container_security(),
        volume_mounts=[
            VolumeMountArgs(
                name=SPEECH_CLAIM,
                mount_path="/app/voices",
                sub_path=PIPER_FILES.removeprefix(f"{MODELS}/"),
                read_only=True,
            ),
            scratch_mount,
            # It copies its two defaults there.
            VolumeMountArgs(name="scratch", mount_path="/app/config", sub_path="config"),
        ],
        **_health("/health", PIPER_PORT, start_seconds=120),
    )
    return _deployment(plan, workload, container)


def _mounts(workload: Workload, wait: VramWait | None) -> list[VolumeMountArgs]:
    models = claimed(SPEECH_CLAIM, MODELS, read_only=True)[1]
    return [models, scratch(workload.pod)[1], *([wait.mount] if wait else [])]


class _Probes(TypedDict):
    startup_probe: ProbeArgs
    readiness_probe: ProbeArgs
    liveness_probe: ProbeArgs


def _health(path: str, port: int, *, start_seconds: int) -> _Probes:
    """Ready when it answers; while it works on a long text it may be late."""
    period_seconds = 5
    return {
        "startup_probe": http_probe(
            path,
            port,
            period_seconds=period_seconds,
            timeout_seconds=5,
            failures=start_seconds // period_seconds,
        ),
        "readiness_probe": http_probe(path, port, period_seconds=5, timeout_seconds=5, failures=3),
        "liveness_probe": http_probe(path, port, period_seconds=30, timeout_seconds=30, failures=5),
    }


def _deployment(
    plan: Plan,
    workload: Workload,
    container: ContainerArgs,
    *,
    annotations: Mapping[str, str] | None = None,
    wait: VramWait | None = None,
    drains: bool = False,
) -> DeploymentSpecArgs:
    app = workload.name
    image = container.image
    on_gpu = wait is not None
    return DeploymentSpecArgs(
        replicas=workload.replicas if workload.first_replicas is None else workload.first_replicas,
        # Two pods would hold the GPU, or the RAM, twice.
        strategy=DeploymentStrategyArgs(type="Recreate"),
        progress_deadline_seconds=ROLLOUT_SECONDS,
        selector=LabelSelectorArgs(match_labels={"app": app}),
        template=PodTemplateSpecArgs(
            metadata=ObjectMetaArgs(
                labels=served_labels(app) if drains else labels(app),
                annotations=dict(annotations or {}),
            ),
            spec=PodSpecArgs(
                runtime_class_name=plan.gpu.runtime_class if on_gpu else None,
                init_containers=[wait.init_container(str(image))] if wait else None,
                containers=[container],
                volumes=[
                    claimed(SPEECH_CLAIM, MODELS)[0],
                    scratch(workload.pod)[0],
                    *([wait.volume] if wait else []),
                ],
                priority_class_name=class_name(plan.namespace, Priority.MODELS),
                security_context=pod_security(UID),
                termination_grace_period_seconds=GRACE_SECONDS if drains else None,
                automount_service_account_token=False,
                enable_service_links=False,
            ),
        ),
    )
