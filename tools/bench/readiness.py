"""When each object became ready, as the API server tells it.

Timestamps in an object's status are whole seconds, so the watch's own arrival is taken: the events
of the API server and of the engine then stand on one clock.
"""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

import httpx2

from tools.bench.errors import BenchError
from tools.bench.objects import StackObject
from tools.simforge.api import Api, Manifest

SKIP_AWAIT = "pulumi.com/skipAwait"
# The watch may lag behind the engine, which watches the same objects.
_LAST_EVENTS_SECONDS = 5.0


class Watch:
    """Objects that were seen to become ready.

    Attributes:
        ready_at: `time.perf_counter()` of the first event with a ready object, by `Kind name`.
    """

    def __init__(self) -> None:
        self.ready_at: dict[str, float] = {}

    def see(self, manifest: Manifest) -> None:
        """Take in the state of an object."""
        name = f"{manifest['kind']} {manifest['metadata']['name']}"
        if name not in self.ready_at and is_ready(manifest):
            self.ready_at[name] = time.perf_counter()

    async def wait_for(self, names: Iterable[str]) -> None:
        """Wait for the events that are still under way.

        Raises:
            BenchError: an object was not seen to become ready.
        """
        deadline = time.perf_counter() + _LAST_EVENTS_SECONDS
        while missing := set(names) - set(self.ready_at):
            if time.perf_counter() > deadline:
                listed = ", ".join(sorted(missing))
                raise BenchError(f"the API server never said that these are ready: {listed}")
            await asyncio.sleep(0.05)


def is_ready(manifest: Manifest) -> bool:
    """Whether an object is what an awaiter waits for; most kinds are ready once they are there.

    A Service has no readiness of its own, and what is not awaited is ready when it is there.
    """
    metadata, status = manifest["metadata"], manifest.get("status", {})
    if metadata.get("annotations", {}).get(SKIP_AWAIT) == "true":
        return True
    kind = manifest["kind"]
    if kind == "Deployment":
        return (
            status.get("observedGeneration", 0) >= metadata["generation"]
            and status.get("updatedReplicas", 0) >= manifest["spec"]["replicas"]
            and _holds(status, "Available")
        )
    if kind == "Job":
        return _holds(status, "Complete")
    if kind == "PersistentVolumeClaim":
        return bool(status.get("phase") == "Bound")
    if kind == "Namespace":
        return bool(status.get("phase") == "Active")
    return True


def _holds(status: Mapping[str, list[dict[str, str]]], condition: str) -> bool:
    return any(
        item["type"] == condition and item["status"] == "True"
        for item in status.get("conditions", [])
    )


@asynccontextmanager
async def watching(api: Api, objects: Iterable[StackObject]) -> AsyncIterator[Watch]:
    """Watch the kinds of these objects on the whole cluster, for the length of a block."""
    watch = Watch()
    kinds = {(str(item.manifest["apiVersion"]), str(item.manifest["kind"])) for item in objects}
    context = ssl.create_default_context(cafile=str(api.certificate))
    async with httpx2.AsyncClient(
        base_url=api.url,
        headers={"Authorization": f"Bearer {api.token}"},
        verify=context,
        timeout=None,  # a watch is silent for as long as nothing happens; its block ends it
        limits=httpx2.Limits(max_connections=None),
    ) as client:
        begun = [asyncio.Event() for _ in kinds]
        tasks = [
            asyncio.create_task(_follow(client, await _collection(client, *kind), watch, event))
            for kind, event in zip(sorted(kinds), begun, strict=True)
        ]
        try:
            await asyncio.gather(*(event.wait() for event in begun))
            yield watch
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _collection(client: httpx2.AsyncClient, version: str, kind: str) -> str:
    """The path of all objects of a kind."""
    group = f"/apis/{version}" if "/" in version else f"/api/{version}"
    answer = (await client.get(group)).raise_for_status().json()
    plural = next(
        item["name"]
        for item in answer["resources"]
        if item["kind"] == kind and "/" not in item["name"]
    )
    return f"{group}/{plural}"


async def _follow(
    client: httpx2.AsyncClient, path: str, watch: Watch, begun: asyncio.Event
) -> None:
    async with client.stream("GET", path, params={"watch": "true"}) as answer:
        answer.raise_for_status()
        begun.set()
        async for line in answer.aiter_lines():
            event = json.loads(line)
            if event["type"] in ("ADDED", "MODIFIED"):
                watch.see(event["object"])
