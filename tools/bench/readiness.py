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
_SERVED_SECONDS = 20.0
_POLL_SECONDS = 0.05


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
            await asyncio.sleep(_POLL_SECONDS)


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
        answers = [
            await _served(client, f"{await _collection(client, *kind)}?watch=true")
            for kind in sorted(kinds)
        ]
        async with asyncio.TaskGroup() as followers:
            tasks = [followers.create_task(_follow(answer, watch)) for answer in answers]
            yield watch
            for task in tasks:
                task.cancel()


async def _collection(client: httpx2.AsyncClient, version: str, kind: str) -> str:
    """The path of all objects of a kind."""
    group = f"/apis/{version}" if "/" in version else f"/api/{version}"
    answer = await _served(client, group)
    await answer.aread()
    plural = next(
        item["name"]
        for item in answer.json()["resources"]
        if item["kind"] == kind and "/" not in item["name"]
    )
    return f"{group}/{plural}"


async def _served(client: httpx2.AsyncClient, path: str) -> httpx2.Response:
    """An answer whose body has not come yet; a fresh API server needs a moment for new kinds.

    Raises:
        BenchError: the path is not served.
    """
    deadline = time.perf_counter() + _SERVED_SECONDS
    while True:
        answer = await client.send(client.build_request("GET", path), stream=True)
        if answer.is_success:
            return answer
        await answer.aclose()
        if time.perf_counter() > deadline:
            raise BenchError(f"the API server does not serve {path}: {answer.status_code}")
        await asyncio.sleep(_POLL_SECONDS)


async def _follow(answer: httpx2.Response, watch: Watch) -> None:
    async for line in answer.aiter_lines():
        event = json.loads(line)
        if event["type"] in ("ADDED", "MODIFIED"):
            watch.see(event["object"])
