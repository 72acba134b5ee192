"""The gateway of the forge's plan, with its proxy on loopback and stubs behind its Services."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from synapse.catalogue import load_catalogue
from synapse.components import engine_command, gateway, ollama
from synapse.components.gateway_config import ROUTES_FILE
from synapse.components.services import host
from synapse.components.speech_services import SPEECH_SERVICES
from synapse.names import OLLAMA
from synapse.plan.build import make_plan
from synapse.plan.model import Plan
from synapse.settings.load import read_stack_file
from tools.gateway.proxy import Proxy, free_port
from tools.gateway.stubs import Engine, Ollama, Speech, Stub
from tools.sim_stack import REPOSITORY

KEY = "sk-the-key-of-the-tests"
CHAT = "/v1/chat/completions"
ENGINE_MODEL = "llama-3.2-8b"
QUESTION = {"model": ENGINE_MODEL, "messages": [{"role": "user", "content": "hi"}]}
"""The shortest request that the engine answers."""
FALLBACK_HEADER = "x-synapse-fallback"
"""Of an answer by another model than the one asked for: why."""
_METRICS_SECONDS = 10


def forge_plan() -> Plan:
    """The plan of the forge's stack file."""
    return make_plan(read_stack_file(REPOSITORY / "Pulumi.forge.yaml"), load_catalogue())


def with_gateway(plan: Plan, **changes: object) -> Plan:
    """The same plan with other values of its gateway."""
    return plan.model_copy(update={"gateway": plan.gateway.model_copy(update=changes)})


@dataclass(frozen=True)
class Gateway:
    """A proxy that runs, and what stands behind it."""

    plan: Plan
    proxy: Proxy
    engine: Engine
    ollama: Ollama
    coqui: Speech
    speaches: Speech
    metrics_port: int

    def metrics(self) -> dict[str, float]:
        """What a scrape reads: each sample by its name and labels."""
        with urlopen(
            f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=_METRICS_SECONDS
        ) as answer:
            lines = answer.read().decode().splitlines()
        samples = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in samples}


def stubs_of(plan: Plan) -> tuple[Engine, Ollama]:
    """Backends that have the plan's models."""
    tags = tuple(model.tag for model in plan.ollama.models)
    return Engine(models=plan.engine.served_names), Ollama(models=tags)


def proxy_of(
    plan: Plan,
    engine: Engine,
    stub: Ollama,
    folder: Path,
    speech: Mapping[str, Stub] | None = None,
    **variables: str,
) -> tuple[Proxy, int]:
    """A proxy as the Deployment's container, and its port for metrics. It does not run yet.

    Of the mounted files one number differs from the ConfigMap's: the port for metrics. `speech`
    are the speech servers by their names in the plan's routes.
    """
    metrics_port = free_port()
    mounts = {path: dict(files) for path, files in gateway.mounts(plan).items()}
    for files in mounts.values():
        if ROUTES_FILE in files:
            told = json.loads(files[ROUTES_FILE])
            told["metrics_port"] = metrics_port if told["metrics_port"] else None
            files[ROUTES_FILE] = json.dumps(told)
    engine_host = host(plan.engine.service, plan.namespace)
    proxy = Proxy(
        folder=folder,
        mounts=mounts,
        variables={**gateway.variables(), "LITELLM_MASTER_KEY": KEY, **variables},
        arguments=gateway.arguments(),
        services={
            f"{engine_host}:{engine_command.PORT}": engine.port,
            f"{host(OLLAMA, plan.namespace)}:{ollama.PORT}": stub.port,
            **{
                f"{host(SPEECH_SERVICES[name][0], plan.namespace)}:{SPEECH_SERVICES[name][1]}": (
                    server.port
                )
                for name, server in (speech or {}).items()
            },
        },
    )
    return proxy, metrics_port


@contextmanager
def running_gateway(plan: Plan, folder: Path, **variables: str) -> Iterator[Gateway]:
    """A gateway that is ready, until the end of the block."""
    engine, stub = stubs_of(plan)
    speech = {"coqui": Speech(models=()), "speaches": Speech(models=())}
    with ExitStack() as stack:
        for one in (engine, stub, *speech.values()):
            stack.enter_context(one)
        proxy, metrics_port = proxy_of(plan, engine, stub, folder, speech, **variables)
        stack.enter_context(proxy)
        yield Gateway(plan, proxy, engine, stub, **speech, metrics_port=metrics_port)
