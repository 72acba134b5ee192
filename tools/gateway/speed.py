"""Our proxy beside one on the config that a user would write from LiteLLM's pages."""

from __future__ import annotations

import asyncio
import json
import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import yaml

from synapse.plan.model import Plan
from tools.gateway.forge import KEY, forge_plan, proxy_of, stubs_of
from tools.gateway.load import Load, closed_loop, percentile
from tools.gateway.proxy import Proxy

_CHAT = "/v1/chat/completions"
_BODY = {"model": "llama-3.2-8b", "messages": [{"role": "user", "content": "hi"}]}
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

    @property
    def per_second(self) -> float:
        """Median of the runs."""
        return statistics.median(load.per_second for load in self.loads)

    def added_ms(self, direct: Runs, percent: float) -> float:
        """What the proxy adds to a request, in milliseconds."""
        ours, bare = ([s for load in one.loads for s in load.latencies] for one in (self, direct))
        return 1000 * (percentile(ours, percent) - percentile(bare, percent))


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


def measure(clients: Sequence[int], requests: int, runs: int) -> dict[int, dict[str, Runs]]:
    """Alternate runs of ours, ours without metrics, the documented one, and the bare stub."""
    plan = forge_plan()
    silent = plan.model_copy(
        update={"gateway": plan.gateway.model_copy(update={"metrics_port": None})}
    )
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
            "ours": proxy_of(plan, engine, ollama, place("ours"))[0],
            "ours, metrics off": proxy_of(silent, engine, ollama, place("silent"))[0],
            "documented": doc,
        }
        for proxy in proxies.values():
            stack.enter_context(proxy)
            _run(proxy.port, 4, _WARM_UP_REQUESTS)
        for name, proxy in proxies.items():
            rss = psutil.Process(proxy.pid).memory_info().rss >> 20
            print(f"{name}: ready after {proxy.boot_seconds:.1f} s, {rss} MiB")  # noqa: T201  a tool
        found = {count: {name: Runs([], []) for name in (*proxies, "direct")} for count in clients}
        for count in clients:
            for _ in range(runs):
                for name, proxy in proxies.items():
                    process = psutil.Process(proxy.pid)
                    before = _cpu_seconds(process)
                    found[count][name].loads.append(_run(proxy.port, count, requests))
                    spent = _cpu_seconds(process) - before
                    found[count][name].cpu_ms.append(1000 * spent / requests)
                found[count]["direct"].loads.append(_run(engine.port, count, requests))
        return found


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _run(port: int, clients: int, requests: int) -> Load:
    load = asyncio.run(closed_loop(port, KEY, _CHAT, _BODY, clients=clients, requests=requests))
    if load.failures:
        raise RuntimeError(f"requests failed: {json.dumps(load.failures)}")
    return load


def ratios(ours: Runs, other: Runs, direct: Runs) -> tuple[float, float, float]:
    """Requests a second, added p95 and CPU time, ours to the other's; the rates pair by pair."""
    pairs = zip(ours.loads, other.loads, strict=True)
    rate = statistics.median(a.per_second / b.per_second for a, b in pairs)
    cpu = zip(ours.cpu_ms, other.cpu_ms, strict=True)
    return (
        rate,
        ours.added_ms(direct, 95) / other.added_ms(direct, 95),
        statistics.median(a / b for a, b in cpu),
    )


def main() -> None:
    """Print what was measured."""
    for count, found in measure((1, 8, 32), requests=120, runs=5).items():
        direct = found.pop("direct")
        for name, one in found.items():
            rate, added, cpu = ratios(one, found["documented"], direct)
            print(  # noqa: T201  a tool
                f"{count:2d} clients, {name:18s}: {one.per_second:6.1f}/s, added p50 "
                f"{one.added_ms(direct, 50):6.1f} p95 {one.added_ms(direct, 95):6.1f} ms, CPU "
                f"{statistics.median(one.cpu_ms):5.1f} ms; to the documented one: rate {rate:.2f}, "
                f"added p95 {added:.2f}, CPU {cpu:.2f}"
            )


if __name__ == "__main__":
    main()
