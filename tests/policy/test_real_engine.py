"""The pack through the real engine: what does not fit creates nothing, also without a preview."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.policy.forge import plan as forge_plan
from tools.toolchain import Toolchain

_ROOT = Path(__file__).resolve().parents[2]
_SECONDS = 120

# The program's own refusal is not there at all: the pack stands alone.
_PROGRAM = """\
import json, pathlib, pulumi
from pulumi_command.local import Command

class Part(pulumi.ComponentResource):
    pass

plan = json.loads(pathlib.Path("plan.json").read_text())
root = Part("synapse:stack:Synapse", "synapse", {"plan": plan})
child = Part("synapse:test:Child", "child", {}, pulumi.ResourceOptions(parent=root))
Command("it", create="touch created", opts=pulumi.ResourceOptions(parent=child))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: packtest\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(_PROGRAM)
    # The program deploys none of what its plan counts, which is not what is tried here.
    (tmp_path / "pack.json").write_text('{"resources-agree-deployed": "disabled"}')
    (tmp_path / "state").mkdir()
    return tmp_path


def _pulumi(
    toolchain: Toolchain, project: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [toolchain.path("pulumi"), *arguments],
        cwd=project,
        env=toolchain.environment()
        | {
            "PULUMI_BACKEND_URL": f"file://{project / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "test",
        },
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )


@pytest.mark.engine
def test_a_plan_that_does_not_fit_creates_nothing(toolchain: Toolchain, project: Path) -> None:
    made = forge_plan()
    made["engine"]["gpu_memory_utilization"] = 0.98
    (project / "plan.json").write_text(json.dumps(made))
    pack = ["--policy-pack", str(_ROOT / "policy"), "--policy-pack-config", "pack.json"]
    pack += ["-s", "dev"]
    assert _pulumi(toolchain, project, "stack", "init", "dev").returncode == 0
    for arguments in (("preview",), ("up", "-y"), ("up", "-y", "--skip-preview")):
        refused = _pulumi(toolchain, project, *arguments, *pack)
        assert refused.returncode != 0
        assert "[mandatory]  vram-in-every-state" in refused.stdout
        assert "> 30.00 GiB" in refused.stdout
        assert not (project / "created").exists()

    (project / "plan.json").write_text(json.dumps(forge_plan()))
    accepted = _pulumi(toolchain, project, "up", "-y", "--skip-preview", *pack)
    assert accepted.returncode == 0, accepted.stdout
    assert (project / "created").exists()
