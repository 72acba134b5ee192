"""An answer that comes too late is not sent: another one is on its way over the connection."""

import os
import subprocess
from pathlib import Path

from synapse.components.gateway_config import ROUTES_FILE, config_files
from synapse.inside.told import LEAVING_FILE_VARIABLE, ROUTES_FILE_VARIABLE
from tools.gateway.environment import proxy_python
from tools.gateway.forge import KEY, forge_plan
from tools.sim_stack import REPOSITORY

RUN_SECONDS = 120


def test_a_caller_gets_one_answer_where_the_engine_answers_as_it_is_given_up(
    tmp_path: Path,
) -> None:
    routes = tmp_path / ROUTES_FILE
    routes.write_text(config_files(forge_plan())[ROUTES_FILE], encoding="utf-8")
    told = {
        ROUTES_FILE_VARIABLE: str(routes),
        LEAVING_FILE_VARIABLE: str(tmp_path / "leaving"),
        "LITELLM_MASTER_KEY": KEY,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    ran = subprocess.run(
        [proxy_python(), "-m", "tests.gateway.late_answer", KEY],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **told},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert ran.stdout.split() == ["http.response.start", "http.response.body", "stand-in"], (
        ran.stderr
    )
