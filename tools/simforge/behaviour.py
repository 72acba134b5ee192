"""How simulated pods behave, as kwok's configuration.

No container runs. kwok writes what a kubelet would report: a pod becomes Ready at once and a Job's
pod completes, unless its `app` label is given another outcome. A change reaches the pods that are
there already, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum

import yaml

Stage = dict[str, object]


class Outcome(StrEnum):
    """What becomes of the pods with a given `app` label."""

    READY = "ready"
    """Ready at once; a Job's pod completes."""
    NEVER_READY = "never-ready"
    """Runs, and its readiness never comes."""
    INITIALIZING = "initializing"
    """Its init containers run and never end."""
    CRASH_LOOP = "crash-loop"
    """Its containers end with an error and are started again and again."""
    FAIL = "fail"
    """Ends with an error, as a pod that is not restarted: for Jobs."""


def kwok_configuration(outcomes: Mapping[str, Outcome]) -> str:
    """The stages for all pods, in YAML; `outcomes` by `app` label, where it is not READY."""
    return yaml.safe_dump_all(list(_stages(outcomes)), sort_keys=False)


def _stages(outcomes: Mapping[str, Outcome]) -> Iterator[Stage]:
    normal = _match(".metadata.labels.app", "NotIn", sorted(outcomes)) if outcomes else []
    not_ended = _match(".status.phase", "NotIn", ["Succeeded", "Failed"])
    is_job = ".metadata.ownerReferences.[].kind"
    yield _stage(
        "ready",
        [*normal, *not_ended, *_not_yet(_READY_MESSAGE)],
        _status("Running", "", _READY_MESSAGE, _RUNNING),
    )
    yield _stage(
        "complete",
        [*normal, *not_ended, *_match(is_job, "In", ["Job"]), *_already(_READY_MESSAGE)],
        _status("Succeeded", "PodCompleted", "simulated: completed", _terminated(0, "Completed")),
    )
    yield _stage("delete", [], None)
    for outcome, status in _SPECIAL_STATUS.items():
        apps = sorted(app for app, chosen in outcomes.items() if chosen is outcome)
        if apps:
            yield _stage(
                outcome.value,
                [
                    *_match(".metadata.labels.app", "In", apps),
                    *not_ended,
                    *_not_yet(_message(outcome)),
                ],
                status,
                delay_milliseconds=500 if outcome is Outcome.FAIL else 0,
            )


def _stage(
    name: str, conditions: list[Stage], status: str | None, delay_milliseconds: int = 0
) -> Stage:
    deleted = _match(".metadata.deletionTimestamp", "Exists" if status is None else "DoesNotExist")
    following: Stage
    if status is None:
        following = {"finalizers": {"empty": True}, "delete": True}
    else:
        following = {"statusTemplate": status}
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": f"pod-{name}"},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": "Pod"},
            "selector": {"matchExpressions": [*deleted, *conditions]},
            "delay": {"durationMilliseconds": delay_milliseconds},
            "next": following,
        },
    }


def _match(key: str, operator: str, values: list[str] | None = None) -> list[Stage]:
    return [{"key": key, "operator": operator, **({"values": values} if values else {})}]


_READY_STATE = '.status.conditions.[] | select( .type == "Ready" ) | .message'


def _not_yet(message: str) -> list[Stage]:
    return _match(_READY_STATE, "NotIn", [message])


def _already(message: str) -> list[Stage]:
    return _match(_READY_STATE, "In", [message])


def _message(outcome: Outcome) -> str:
    return f"simulated: {outcome.value}"


_READY_MESSAGE = _message(Outcome.READY)

# States of a container; a key that does not hold is null, or a merge would leave it there.
_RUNNING = '{"running": {"startedAt": NOW}, "waiting": null, "terminated": null}'


_WAITING = '{"running": null, "terminated": null, "waiting": {"reason": "PodInitializing"}}'


def _terminated(exit_code: int, reason: str) -> str:
    return (
        '{"running": null, "waiting": null, "terminated": {"startedAt": NOW, "finishedAt": NOW, '
        f'"exitCode": {exit_code}, "reason": "{reason}"}}}}'
    )


_BACKING_OFF = (
    '{"running": null, "terminated": null, "waiting": {"reason": "CrashLoopBackOff", '
    '"message": "back-off restarting failed container (simulated)"}}'
)


def _status(
    phase: str,
    not_ready_because: str,
    message: str,
    state: str,
    *,
    last_state: str = "{}",
    restarts: int = 0,
    init_state: str | None = None,
) -> str:
    """A template of a pod's status; JSON, which YAML contains, so that it nests in loops."""
    is_ready = "false" if not_ready_because else "true"
    ready = is_ready.capitalize()
    reason = not_ready_because
    now = "{{ Now | Quote }}"
    conditions = [
        {"type": "Initialized", "status": "False" if init_state else "True"},
        {"type": "Ready", "status": ready, "reason": reason, "message": message},
        {"type": "ContainersReady", "status": ready, "reason": reason, "message": message},
    ]
    container = (
        f'- {{"name": NAME, "image": IMAGE, "imageID": "", "ready": {is_ready}, '
        f'"started": {is_ready}, "restartCount": {restarts}, '
        f'"state": {state}, "lastState": {last_state}}}'
    )
    init_ready = "false" if init_state else "true"
    init = (
        f'- {{"name": NAME, "image": IMAGE, "imageID": "", "ready": {init_ready}, '
        f'"restartCount": 0, "state": {init_state or _terminated(0, "Completed")}}}'
    )
    lines = [
        "conditions:",
        *(f'- {json.dumps(item)[:-1]}, "lastTransitionTime": NOW}}' for item in conditions),
        "containerStatuses:",
        "{{ range .spec.containers }}",
        container,
        "{{ end }}",
        "initContainerStatuses:",
        "{{ range .spec.initContainers }}",
        init,
        "{{ end }}",
        "hostIP: {{ NodeIPWith .spec.nodeName | Quote }}",
        'podIP: {{ PodIPWith .spec.nodeName ( or .spec.hostNetwork false ) ( or .metadata.uid "" )'
        ' ( or .metadata.name "" ) ( or .metadata.namespace "" ) | Quote }}',
        f"phase: {phase}",
        "startTime: {{ or .status.startTime Now | Quote }}",
    ]
    text = "\n".join(lines)
    for word, value in (
        ("NOW", now),
        ("NAME", "{{ .name | Quote }}"),
        ("IMAGE", "{{ .image | Quote }}"),
    ):
        text = text.replace(word, value)
    return text


_SPECIAL_STATUS = {
    Outcome.NEVER_READY: _status(
        "Running", "ContainersNotReady", _message(Outcome.NEVER_READY), _RUNNING
    ),
    Outcome.INITIALIZING: _status(
        "Pending",
        "ContainersNotInitialized",
        _message(Outcome.INITIALIZING),
        _WAITING,
        init_state=_RUNNING,
    ),
    Outcome.CRASH_LOOP: _status(
        "Running",
        "ContainersNotReady",
        _message(Outcome.CRASH_LOOP),
        _BACKING_OFF,
        last_state=_terminated(1, "Error"),
        restarts=5,
    ),
    Outcome.FAIL: _status("Failed", "PodFailed", _message(Outcome.FAIL), _terminated(1, "Error")),
}
