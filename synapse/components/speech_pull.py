"""The Job that fills the volume of speech models, and where each server finds its files."""

import json
from typing import Final, TypedDict

from synapse.components.download import DownloadArgs
from synapse.components.pods import SCRATCH, environment
from synapse.names import (
    SPEECH_PULL,
    XTTS_LICENCE_BY_ANNOTATION,
    XTTS_LICENCE_ON_ANNOTATION,
)
from synapse.plan.disk import SPEECH_CLAIM
from synapse.plan.model import Plan

MODELS: Final = "/models"
HF_HOME: Final = f"{MODELS}/huggingface"
XTTS: Final = f"{MODELS}/xtts-v2"
PIPER: Final = f"{MODELS}/piper"
UID: Final = 1000  # of the Speaches image; the others run as anybody

# What each server reads. Speaches tells by the README what a model can do.
_WHISPER_FILES = [
    "config.json",
    "preprocessor_config.json",
    "model.bin",
    "tokenizer.json",
    "vocabulary.*",
    "README.md",
]
_FILES = {
    "kokoro-82m": ["model.onnx", "voices.bin", "README.md"],
    "xtts-v2": ["config.json", "model.pth", "vocab.json", "hash.md5", "speakers_xtts.pth"],
    # The voices behind the six names of OpenAI's that openedai-speech knows.
    "piper": [
        "en/en_US/libritts_r/medium/*.onnx*",
        "en/en_US/ryan/high/*.onnx*",
        "en/en_GB/northern_english_male/medium/*.onnx*",
    ],
}
_FOLDERS = {"xtts-v2": XTTS, "piper": PIPER}

# One file after the other: the sum of the phase's RAM has little room. Files that are there, whole
# or in part, are not fetched again. Piper's server looks for its voices in one flat folder.
_PULL_SCRIPT = """\
import json, os
from pathlib import Path
from huggingface_hub import snapshot_download
for model in json.loads(os.environ["MODELS"]):
    print(model["repository"], flush=True)
    place = snapshot_download(
        model["repository"],
        allow_patterns=model["files"],
        local_dir=model["folder"],
        max_workers=1,
    )
    if model["folder"]:
        for found in sorted(Path(place).glob("*/**/*.onnx*")):
            flat = Path(place, found.name)
            flat.exists() or flat.symlink_to(found)
    print(place, flush=True)
"""


class _Wanted(TypedDict):
    repository: str
    files: list[str]
    folder: str | None


def speech_pull(plan: Plan) -> DownloadArgs:
    """One Job for all of them, in the image that has a client and runs anyway."""
    speech = plan.speech
    wanted: list[_Wanted] = [
        {
            "repository": one.repository,
            "files": _FILES.get(one.name, _WHISPER_FILES),
            "folder": _FOLDERS.get(one.name),
        }
        for one in speech.weights
    ]
    told = {
        "MODELS": json.dumps(wanted),
        "HF_HOME": HF_HOME,
        # Its chunks in memory are larger than this pod.
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HOME": SCRATCH,
    }
    return DownloadArgs(
        app=SPEECH_PULL,
        job=SPEECH_PULL,
        namespace=plan.namespace,
        model=",".join(one.name for one in speech.weights),
        image=speech.stt.image,
        command=["python3", "-u", "-c", _PULL_SCRIPT],
        variables=environment(told),
        claim=SPEECH_CLAIM,
        mount_path=MODELS,
        pod=plan.workload(SPEECH_PULL).pod,
        uid=UID,
        pod_annotations=licence_annotations(plan),
    )


def licence_annotations(plan: Plan) -> dict[str, str]:
    """Who acknowledged the licence of XTTS, for pods that load or fetch its weights."""
    licence = plan.speech.licence
    if licence is None:
        return {}
    return {XTTS_LICENCE_BY_ANNOTATION: licence.by, XTTS_LICENCE_ON_ANNOTATION: licence.on}
