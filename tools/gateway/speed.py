"""Our proxy beside one on the config that a user would write from LiteLLM's pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import yaml

from synapse.plan.model import Plan
from tools.gateway.forge import (
    CHAT,
    KEY,
    QUESTION,
    forge_plan,
    proxy_of,
    stubs_of,
    with_gateway,
)
from tools.gateway.load import Load, closed_loop
from tools.gateway.proxy import Proxy

OURS, SILENT, DOCUMENTED, DIRECT = "ours", "ours, metrics off", "documented", "direct"
_WARM_UP_REQUESTS = 100


@dataclass
class Runs:
    """What one proxy did at one number of clients, run by run.

    Attributes:
        loads: of each run.
        cpu_ms: CPU time of the proxy's process for a request, of each run.
    """

    loads: list[Load]
    cpu_ms: list[float]

    def added_ms(self, direct: Runs, percent: float) -> tuple[float, ...]:
        """What the proxy adds to a request in each run, in milliseconds."""
        pairs = zip(self.loads, direct.loads, strict=True)
        return tuple(
            1000 * (ours.percentile(percent) - bare.percentile(percent)) for ours, bare in pairs
        )


def documented(plan: Plan, proxy: Proxy) -> Proxy:
    """The same proxy on the same routes, as LiteLLM's quick start has it, with its metrics."""
    config = yaml.safe_load(next(iter(proxy.mounts.values()))["config.yaml"])
    (fallbacks,) = (
        {route.name: [route.fallback]}
        for route in plan.gateway.routes
        if route.fallback and route.backend == "engine"
    )
    config["router_settings"] = {"fallbacks": [fallbacks]}
    config["litellm_settings"] = {
        "callbacks": ["prometheus"],
        "drop_params": True,
        "disable_hf_tokenizer_download": True,  # else the first stream freezes it for 24 s here
    }
    config["general_settings"] = {"master_key": "os.environ/LITELLM_MASTER_KEY"}
    variables = {"LITELLM_MASTER_KEY": KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "HOME": "/tmp"}  # noqa: S108  the container's
    return Proxy(
        folder=proxy.folder,
        mounts={"/config": {"config.yaml": yaml.safe_dump(config)}},
        variables=variables,
        arguments=["--config=/config/config.yaml", "--num_workers=1"],
        services=proxy.services,
    )


@dataclass(frozen=True)
class Booted:
    """How one proxy stood before its first measured run."""

    ready_seconds: float
    resident_mib: float


@dataclass(frozen=True)
class Measured:
    """What the proxies did, by their names; `direct` is the stub without a proxy before it.

    Attributes:
        runs: by number of clients, then by name.
    """

    booted: dict[str, Booted]
    runs: dict[int, dict[str, Runs]]


def measure(
    clients: Sequence[int], requests: int, runs: int, advance: Callable[[], None]
) -> Measured:
    """Alternate runs of ours, ours without metrics, the documented one, and the bare stub.

    Args:
        clients: numbers of clients, each in a closed loop.
        requests: of each run.
        runs: at each number of clients.
        advance: called after each run.

    Raises:
        ProxyError: a proxy does not come up.
        RuntimeError: a request failed.
    """
    plan = forge_plan()
    silent = with_gateway(plan, metrics_port=None)
    engine, ollama = stubs_of(plan)
    with TemporaryDirectory() as scratch, ExitStack() as stack:
        stack.enter_context(engine)
        stack.enter_context(ollama)

        def place(name: str) -> Path:
            folder = Path(scratch) / name
            folder.mkdir()
            return folder

        doc = documented(plan, proxy_of(plan, engine, ollama, place("doc"))[0])
        proxies = {
            OURS: proxy_of(plan, engine, ollama, place("ours"))[0],
            SILENT: proxy_of(silent, engine, ollama, place("silent"))[0],
            DOCUMENTED: doc,
        }
        booted = {name: _boot(proxy, stack) for name, proxy in proxies.items()}
        ports = {name: proxy.port for name, proxy in proxies.items()} | {DIRECT: engine.port}
        pids = {name: proxy.pid for name, proxy in proxies.items()}
        found = {count: {name: Runs([], []) for name in ports} for count in clients}
        for count in clients:
            for _ in range(runs):
                for name, port in ports.items():
                    process = psutil.Process(pids[name]) if name in pids else None
                    before = _cpu_seconds(process)
                    found[count][name].loads.append(_run(port, count, requests))
                    spent = _cpu_seconds(process) - before
                    found[count][name].cpu_ms.append(1000 * spent / requests)
                advance()
        return Measured(booted, found)


def _boot(proxy: Proxy, stack: ExitStack) -> Booted:
    stack.enter_context(proxy)
    _run(proxy.port, 4, _WARM_UP_REQUESTS)
    return Booted(proxy.boot_seconds, psutil.Process(proxy.pid).memory_info().rss / 2**20)


def _cpu_seconds(process: psutil.Process | None) -> float:
    if process is None:
        return 0.0
    times = process.cpu_times()
    return float(times.user + times.system)


def _run(port: int, clients: int, requests: int) -> Load:
    load = asyncio.run(closed_loop(port, KEY, CHAT, QUESTION, clients=clients, requests=requests))
    if load.failures:
        raise RuntimeError(f"requests failed: {json.dumps(load.failures)}")
    return load
