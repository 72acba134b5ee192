"""What a swap reads out of a pod's status: let in, refused, crashing, ready."""

from __future__ import annotations

import pytest
from lightkube.resources.core_v1 import Pod

from synapse.swap.errors import SwapError
from synapse.swap.pods import memory_progress, port_of, serves, start_progress

GATES = [{"name": "vram"}]


def pod(
    *,
    init: list[dict[str, object]] | None = None,
    main: list[dict[str, object]] | None = None,
    conditions: dict[str, str] | None = None,
    gates: list[dict[str, str]] | None = None,
) -> Pod:
    conditions = {"PodScheduled": "True"} if conditions is None else conditions
    made = Pod.from_dict(
        {
            "metadata": {"name": "coqui-1"},
            "spec": {
                "initContainers": GATES if gates is None else gates,
                "containers": [{"name": "main", "ports": [{"containerPort": 5002}]}],
            },
            "status": {
                "conditions": [
                    {"type": kind, "status": value, "message": "0/1 nodes: Insufficient gpu"}
                    for kind, value in conditions.items()
                ],
                "initContainerStatuses": init or [],
                "containerStatuses": main or [],
            },
        }
    )
    assert isinstance(made, Pod)
    return made


def container(
    state: dict[str, object], last: dict[str, object] | None = None, restarts: int = 0
) -> dict[str, object]:
    return {
        "name": "vram",
        "image": "i",
        "imageID": "",
        "ready": False,
        "started": "running" in state,
        "restartCount": restarts,
        "state": state,
        "lastState": last or {},
    }


RUNNING: dict[str, object] = {"running": {}}
DONE: dict[str, object] = {"terminated": {"exitCode": 0}}
REFUSED: dict[str, object] = {
    "terminated": {"exitCode": 1, "message": "free 9.1 of 12.0 GiB\nafter 300 s"}
}
BACKING_OFF: dict[str, object] = {"waiting": {"reason": "CrashLoopBackOff"}}


@pytest.mark.parametrize(
    ("seen", "reached", "said"),
    [
        (pod(init=[container(RUNNING)]), False, "waits for free memory"),
        (pod(init=[container(DONE)]), True, "measured free"),
        (pod(init=[container(DONE, REFUSED, restarts=1)]), True, "measured free"),
        (pod(init=[]), False, "waits for free memory"),
        (pod(conditions={"PodScheduled": "False"}), False, "Insufficient gpu"),
        (pod(conditions={}), False, "not placed yet"),
        (pod(gates=[]), False, "not taken it up"),
        (pod(gates=[], main=[container(RUNNING)]), True, "not measured"),
    ],
)
def test_memory_is_free_when_the_init_container_says_so(
    seen: Pod, reached: bool, said: str
) -> None:
    progress = memory_progress(seen)
    assert progress.reached is reached
    assert said in progress.said


@pytest.mark.parametrize(
    "status",
    [
        container(REFUSED),
        container(BACKING_OFF, REFUSED, restarts=1),
        container(RUNNING, REFUSED, restarts=1),
    ],
)
def test_an_init_container_that_gave_up_is_quoted(status: dict[str, object]) -> None:
    with pytest.raises(SwapError, match=r"free 9\.1 of 12\.0 GiB after 300 s"):
        memory_progress(pod(init=[status]))


def test_a_container_that_ended_three_times_is_not_waited_for() -> None:
    with pytest.raises(SwapError, match="ended 3 times: free 9"):
        start_progress(pod(main=[container(BACKING_OFF, REFUSED, restarts=3)]))
    assert not start_progress(pod(main=[container(BACKING_OFF, REFUSED, restarts=2)])).reached


def test_ready_is_the_pods_condition() -> None:
    both = {"PodScheduled": "True", "Ready": "True"}
    assert start_progress(pod(main=[container(RUNNING)], conditions=both)).reached
    assert not start_progress(pod(main=[container(RUNNING)])).reached


def test_a_pod_that_has_not_started_has_no_request() -> None:
    assert serves(pod(main=[container(RUNNING)]))
    assert not serves(pod(main=[container(BACKING_OFF, REFUSED, restarts=9)]))
    assert not serves(pod())


def test_the_port_is_the_first_one() -> None:
    assert port_of(pod()) == 5002
