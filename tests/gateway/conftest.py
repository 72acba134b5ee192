"""The real proxy on the config of the forge, with stubs behind its Services.

The transport is injected: the names of the cluster's Services lead to the stubs on loopback.
Everything else is the container of the Deployment: files, environment, arguments.
"""

from collections.abc import Iterator

import pytest
from openai import OpenAI

from synapse.catalogue import load_catalogue
from synapse.plan.build import make_plan
from synapse.plan.model import Plan
from synapse.settings.load import read_stack_file
from synapse.settings.settings import Settings
from tests.gateway.caller import Caller
from tools.gateway.forge import KEY, Gateway, running_gateway
from tools.gateway.stubs import Failure
from tools.sim_stack import REPOSITORY

EMBEDDINGS = ("nomic-embed-text", "bge-large")
PREVIOUS_KEY = "sk-the-key-before"
# Short ones: what is waited for is the same.
FIRST_TOKEN_SECONDS, HANG_SECONDS = 2, 3


def plan_with(forge: Settings, *, phase: int = 3, **gateway: object) -> Plan:
    """The forge's plan with two embedding models, and other values of the gateway."""
    models = ("llama3.2:3b", "llama3.1:8b", *EMBEDDINGS)
    ollama = forge.ollama.model_copy(update={"models": models})
    changed = forge.gateway.model_copy(
        update={
            "first_token_seconds": FIRST_TOKEN_SECONDS,
            "engine_hang_seconds": HANG_SECONDS,
            **gateway,
        }
    )
    settings = forge.model_copy(update={"phase": phase, "ollama": ollama, "gateway": changed})
    return make_plan(settings, load_catalogue())


@pytest.fixture(scope="session")
def _gateway(
    forge_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    plan = plan_with(forge_settings)
    with running_gateway(plan, folder, SYNAPSE_PREVIOUS_KEY=PREVIOUS_KEY) as gateway:
        yield gateway


@pytest.fixture
def gateway(_gateway: Gateway) -> Gateway:
    """A running gateway, shared by the session: its backends answer, and it knows that they do."""
    for stub in (_gateway.engine, _gateway.ollama):
        stub.failure = Failure.NONE
        stub.health_lies = stub.health_hangs = False
        stub.word_seconds = stub.answer_seconds = 0.0
        stub.revive()
    caller = Caller(_gateway)
    caller.wait_until(lambda: caller.chat().reason is None, "the engine answers")
    _gateway.engine.seen.clear()
    _gateway.ollama.seen.clear()
    return _gateway


@pytest.fixture
def caller(gateway: Gateway) -> Caller:
    """Asks the shared gateway."""
    return Caller(gateway)


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    """The official client, as anybody would set it up."""
    with OpenAI(base_url=f"{gateway.proxy.url}/v1", api_key=KEY, max_retries=0) as one:
        yield one


@pytest.fixture(scope="session")
def forge_settings() -> Settings:
    """The forge's stack file."""
    return read_stack_file(REPOSITORY / "Pulumi.forge.yaml")
