"""The pack through the real engine in a program of somebody else: config, exceptions, unknowns.

The program registers plain objects and has no Synapse root. The provider writes files, so that no
cluster is needed.
"""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.policy.forge import Json
from tools.sim_stack import REPOSITORY
from tools.toolchain import Toolchain

pytestmark = pytest.mark.engine

_SECONDS = 120
_RULE = "never-pull-never"
_PROGRAM = """\
import json, pathlib, pulumi
from pulumi_command.local import Command

class Thing(pulumi.CustomResource):
    pass

def known(value, late):
    if isinstance(value, dict):
        return {key: known(one, late) for key, one in value.items()}
    if isinstance(value, list):
        return [known(one, late) for one in value]
    return late if value == "$LATE" else value

given = json.loads(pathlib.Path("given.json").read_text())
late = Command("late", create="printf " + given["late"]).stdout
provider = pulumi.ProviderResource(
    "kubernetes", "files", {"renderYamlToDirectory": "rendered"}, pulumi.ResourceOptions()
)
for type_, name, props in given["objects"]:
    Thing(type_, name, known(props, late), pulumi.ResourceOptions(provider=provider))
"""


class Foreign:
    """A project of somebody else's, with a stack of its own."""

    def __init__(self, folder: Path, toolchain: Toolchain) -> None:
        self.folder = folder
        self._toolchain = toolchain
        (folder / "state").mkdir()
        (folder / "Pulumi.yaml").write_text("name: foreign\nruntime: python\n")
        (folder / "__main__.py").write_text(_PROGRAM)
        self.give([])
        assert self.pulumi("stack", "init", "dev").returncode == 0

    def give(self, objects: list[tuple[str, str, Json]], late: str = "nothing") -> None:
        """What the program registers, and what `$LATE` becomes once a command has run."""
        (self.folder / "given.json").write_text(json.dumps({"objects": objects, "late": late}))

    def pulumi(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._toolchain.path("pulumi"), "--non-interactive", *arguments],
            cwd=self.folder,
            env=self._toolchain.environment()
            | {
                "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
                "PULUMI_CONFIG_PASSPHRASE": "test",
            },
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )

    def judged(
        self, *command: str | Path, config: Mapping[str, object] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command with the pack."""
        pack: list[str | Path] = ["--policy-pack", REPOSITORY / "policy"]
        if config is not None:
            file = self.folder / "pack-config.json"
            file.write_text(json.dumps(config))
            pack += ["--policy-pack-config", file]
        done = self.pulumi(*command, *pack)
        assert "Traceback" not in done.stdout + done.stderr
        return done

    def deployed(self) -> bool:
        """Whether a Deployment has been written."""
        return any("deployment" in file.name for file in (self.folder / "rendered").rglob("*.yaml"))


@pytest.fixture
def foreign(tmp_path: Path, toolchain: Toolchain) -> Foreign:
    return Foreign(tmp_path, toolchain)


def _engine(pull_policy: str = "IfNotPresent") -> tuple[str, str, Json]:
    command = [
        *("vllm", "serve", "hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4"),
        *("--gpu-memory-utilization", "0.95", "--max-model-len", "8192"),
    ]
    container = {
        "name": "vllm",
        "image": "vllm/vllm-openai:v0.11.0",
        "imagePullPolicy": pull_policy,
        "command": command,
    }
    labels = {"app": "llm"}
    props = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "llm", "namespace": "ai"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }
    return "kubernetes:apps/v1:Deployment", "llm", props


def _only(rule: str, **settings: object) -> dict[str, object]:
    return {"all": "disabled", rule: {"enforcementLevel": "mandatory", **settings}}


def _exception(until: str) -> dict[str, object]:
    entry = {
        "resource": "Deployment/ai/*",
        "reason": "an air-gapped node",
        "owner": "ops@example.com",
        "until": until,
    }
    return {"exceptions": [entry]}


def test_an_engine_of_anybodys_is_judged_on_the_gpu_that_the_config_names(
    foreign: Foreign,
) -> None:
    foreign.give([_engine()])
    rule = "vram-in-every-state"
    assert f"  {rule}" not in foreign.judged("preview", "-s", "dev").stdout
    config = _only(rule, gpu_model="rtx-4090", reserve_gib=1)
    refused = foreign.judged("preview", "-s", "dev", config=config)
    assert refused.returncode != 0
    assert f"[mandatory]  {rule}  (kubernetes:apps/v1:Deployment: llm)" in refused.stdout
    assert "0.95 × 23.50" in refused.stdout
    assert "> 22.50 GiB of one rtx-4090" in refused.stdout
    roomy = _only(rule, gpu_model="h200", reserve_gib=1)
    accepted = foreign.judged("preview", "-s", "dev", config=roomy)
    assert accepted.returncode == 0, accepted.stdout


def test_severities_and_exceptions_come_from_the_config(foreign: Foreign) -> None:
    foreign.give([_engine("Never")])
    advisory = foreign.judged("preview", "-s", "dev", config={"all": "disabled", _RULE: "advisory"})
    assert advisory.returncode == 0
    assert f"[advisory]  {_RULE}" in advisory.stdout

    holds = _only(_RULE, **_exception("2999-12-31")) | {"exceptions-in-use": "advisory"}
    excepted = foreign.judged("preview", "-s", "dev", config=holds)
    assert excepted.returncode == 0, excepted.stdout
    assert "[advisory]  exceptions-in-use" in excepted.stdout
    assert "ops@example.com answers until 2999-12-31" in excepted.stdout

    over = foreign.judged("preview", "-s", "dev", config=_only(_RULE, **_exception("2020-01-31")))
    assert over.returncode != 0
    assert "the exception of rule 'never-pull-never'" in over.stdout
    assert "ended on 2020-01-31; its owner ops@example.com" in over.stdout
    assert "has imagePullPolicy: Never" in over.stdout


def test_an_invalid_config_is_refused_with_all_its_problems(foreign: Foreign) -> None:
    foreign.give([_engine()])
    # What the schema shows, the engine refuses before anything runs.
    config = {_RULE: {"exceptions": [{"resource": "x"}]}, "gpu-count": {"gpu_count": "one"}}
    refused = foreign.judged("preview", "-s", "dev", config=config)
    assert refused.returncode != 0
    said = refused.stdout + refused.stderr
    for words in (
        f"{_RULE}: exceptions.0: owner is required",
        f"{_RULE}: exceptions.0: until is required",
        "gpu-count: gpu_count",
    ):
        assert words in said
    # What only the pack knows, its rules refuse: they judge nothing by a config that is wrong.
    misspelt = foreign.judged("preview", "-s", "dev", config=_only(_RULE, execptions=[]))
    assert misspelt.returncode != 0
    assert f"the config of rule '{_RULE}' is invalid: execptions" in misspelt.stdout


def test_an_unknown_value_is_refused_in_a_preview_and_judged_when_it_is_known(
    foreign: Foreign,
) -> None:
    """The engine hands unknowns to the pack in a preview; in an update it waits for the value."""
    foreign.give([_engine("$LATE")], late="Never")
    config = _only(_RULE)
    preview = foreign.judged("preview", "-s", "dev", config=config)
    assert preview.returncode != 0
    assert f"[mandatory]  {_RULE}" in preview.stdout
    assert "cannot be judged" in preview.stdout
    assert ".containers.0.imagePullPolicy can't be known during preview" in preview.stdout

    up = ("up", "--yes", "--skip-preview", "-s", "dev")
    refused = foreign.judged(*up, config=config)
    assert refused.returncode != 0
    assert "has imagePullPolicy: Never" in refused.stdout
    assert "cannot be judged" not in refused.stdout
    assert not foreign.deployed()

    foreign.give([_engine("$LATE")], late="Always")
    accepted = foreign.judged(*up, config=config)
    assert accepted.returncode == 0, accepted.stdout
    assert foreign.deployed()


def test_exported_state_is_judged_without_program_or_login(foreign: Foreign) -> None:
    foreign.give([_engine("Never")])
    assert foreign.pulumi("up", "--yes", "--skip-preview", "-s", "dev").returncode == 0
    state = foreign.folder / "exported.json"
    assert foreign.pulumi("stack", "export", "-s", "dev", "--file", state).returncode == 0
    analyze = ("policy", "analyze", "--file", state)
    refused = foreign.judged(*analyze, config=_only(_RULE))
    assert refused.returncode != 0
    assert f"[mandatory]  {_RULE}  (kubernetes:apps/v1:Deployment: llm)" in refused.stdout
    state.write_text(state.read_text().replace('"Never"', '"Always"'))
    assert foreign.judged(*analyze, config=_only(_RULE)).returncode == 0
