"""The connection to one cluster: calls bounded in time that fail in the operator's words."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

import httpx2
from lightkube import ApiError, Client, ConfigError, SingleConfig
from lightkube.config.client_adapter import ConnectionParams
from lightkube.resources.core_v1 import Service

from synapse.cluster.errors import ClusterError, ConflictError, UnreachableError
from synapse.cluster.kubeconfig import find_config
from synapse.settings.machine import Target, TargetKind

FIELD_MANAGER = "synapse-console"
CONNECT_SECONDS = 5.0
READ_SECONDS = 15.0
"""An engine under load answers its health check after many seconds; a dead one never."""

_METADATA_ALONE = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_NOT_FOUND, _UNAUTHORIZED, _FORBIDDEN, _CONFLICT = 404, 401, 403, 409
_TOO_MANY, _SERVER_ERRORS = 429, 500
_BOUND = httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)

Result = TypeVar("Result")


@dataclass(frozen=True)
class Answer:
    """What came back from a service behind the API server."""

    status: int
    body: str
    by_api_server: bool
    """The API server itself spoke, as it found nobody to pass the request to."""

    @property
    def ok(self) -> bool:
        """Whether the service answered, and with success."""
        return httpx2.codes.is_success(self.status)


class Cluster:
    """One cluster, reached by a kubeconfig."""

    def __init__(self, config: SingleConfig, *, simulated: bool) -> None:
        self.simulated = simulated
        """No container runs on it: whatever a pod would answer, nobody does."""
        self.server = config.cluster.server
        self._name = f"{self.server} (context {config.context_name} of {config.fname})"
        try:
            self._client = Client(config=config, timeout=_BOUND, field_manager=FIELD_MANAGER)
            self._http = httpx2.Client(**ConnectionParams(timeout=_BOUND).httpx_params(config))
        except (ConfigError, OSError, ValueError) as error:
            raise ClusterError(
                f"the credentials for {self._name} cannot be used ({error})",
                "check them with `kubectl get nodes`",
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()
        self._http.close()

    def call(self, what: str, ask: Callable[[Client], Result]) -> Result:
        """Ask the API server; `what` says in an error what was tried.

        Raises:
            ClusterError: it does not answer, or refuses.
        """
        with self._explained(what):
            return ask(self._client)

    def find(self, what: str, ask: Callable[[Client], Result]) -> Result | None:
        """Ask for one object; None if there is none.

        Raises:
            ClusterError: it does not answer, or refuses.
        """
        with self._explained(what):
            try:
                return ask(self._client)
            except ApiError as error:
                if error.status.code == _NOT_FOUND:
                    return None
                raise

    def version(self) -> str:
        """The version of the API server, such as `v1.35.8+k3s1`.

        Raises:
            ClusterError: it does not answer, or is no API server.
        """
        with self._explained("read the version"):
            answer = self._http.get("/version")
            answer.raise_for_status()
            try:
                return str(answer.json()["gitVersion"])
            except (ValueError, LookupError, TypeError):
                raise ClusterError(
                    f"{self._name} is not a Kubernetes API server", "check synapse:target"
                ) from None

    def exists(self, path: str) -> bool:
        """Whether there is an object at a path of the API; its content is not fetched.

        Raises:
            ClusterError: the API server does not answer, or refuses.
        """
        with self._explained(f"look for {path}"):
            answer = self._http.get(path, headers={"Accept": _METADATA_ALONE})
            if answer.status_code == _NOT_FOUND:
                return False
            if _is_status(answer):
                raise ApiError(request=answer.request, response=answer)
            answer.raise_for_status()
            return True

    def ask_service(self, namespace: str, service: str, path: str) -> Answer:
        """GET a path of a Service's first port, through the API server's service proxy.

        Raises:
            ClusterError: there is no such Service, or the API server does not answer or refuses.
        """
        found = self.find(
            f"read the Service {namespace}/{service}",
            lambda client: client.get(Service, service, namespace=namespace),
        )
        if found is None or found.spec is None or not found.spec.ports:
            raise ClusterError(
                f"there is no Service {namespace}/{service}", "bring it with `pulumi up`"
            )
        port = found.spec.ports[0].port
        return self._ask(service, f"{_core(namespace)}/services/http:{service}:{port}", path)

    def ask_pod(
        self, namespace: str, pod: str, port: int, path: str, within_seconds: float = READ_SECONDS
    ) -> Answer:
        """GET a path of a port of a pod, through the API server's pod proxy.

        Raises:
            ClusterError: the API server does not answer or refuses.
        """
        proxy = f"{_core(namespace)}/pods/http:{pod}:{port}"
        return self._ask(pod, proxy, path, within_seconds)

    def _ask(self, who: str, proxy: str, path: str, within_seconds: float = READ_SECONDS) -> Answer:
        bound = httpx2.Timeout(within_seconds, connect=CONNECT_SECONDS)
        with self._explained(f"ask {who}"):
            try:
                answer = self._http.get(f"{proxy}/proxy{path}", timeout=bound)
            except httpx2.ReadTimeout:
                silence = f"no answer within {within_seconds:g} s"
                return Answer(httpx2.codes.GATEWAY_TIMEOUT, silence, by_api_server=True)
        spoke = _is_status(answer)
        if spoke and answer.status_code in (_UNAUTHORIZED, _FORBIDDEN):
            kind = "services/proxy" if "/services/" in proxy else "pods/proxy"
            raise ClusterError(
                f"the cluster refuses to ask {who} ({_said(answer)})",
                f"use credentials that may `get` `{kind}`",
            )
        return Answer(answer.status_code, _said(answer) if spoke else answer.text, spoke)

    def delete_unchanged(self, what: str, path: str, resource_version: str) -> bool:
        """Delete the object at a path of the API, if it is still this version of it.

        Returns:
            False where it is gone, or has changed since.

        Raises:
            ClusterError: the API server does not answer, or refuses.
        """
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"resourceVersion": resource_version},
        }
        with self._explained(what):
            answer = self._http.request("DELETE", path, json=options)
            if answer.status_code in (_NOT_FOUND, _CONFLICT):
                return False
            if _is_status(answer):
                raise ApiError(request=answer.request, response=answer)
            answer.raise_for_status()
            return True

    def recent_log(self, namespace: str, pod: str, seconds: float) -> str:
        """What a pod logged in the last seconds.

        Raises:
            ClusterError: the API server does not answer or refuses, or cannot reach the node.
        """
        path = f"{_core(namespace)}/pods/{pod}/log"
        with self._explained(f"read the log of {pod}"):
            answer = self._http.get(path, params={"sinceSeconds": str(max(1, round(seconds)))})
        if answer.is_error:
            raise _unreadable(namespace, pod, answer)
        return answer.text

    def log_lines(self, namespace: str, pod: str) -> Iterator[str]:
        """The log of a pod from its beginning, as it grows; ends after a silence, too.

        Raises:
            ClusterError: the API server refuses, or cannot reach the node.
        """
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        with self._explained(f"read the log of {pod}"):
            try:
                with self._http.stream("GET", path, params={"follow": "true"}) as answer:
                    if answer.is_error:
                        answer.read()
                        raise _unreadable(namespace, pod, answer)
                    yield from answer.iter_lines()
            except httpx2.ReadTimeout:
                return

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except ApiError as error:
            raise self._refused(what, error) from None
        except httpx2.HTTPStatusError as error:
            away = error.response.status_code >= _SERVER_ERRORS
            raise (UnreachableError if away else ClusterError)(
                f"cannot {what}: {self._name} answered {error.response.status_code}",
                "check synapse:target.kubeconfig and .context",
            ) from None
        except (httpx2.TransportError, ssl.SSLError, OSError) as error:
            raise UnreachableError(
                f"cannot {what}: {self._name} does not answer ({_reason(error)})", self._start_cure
            ) from None
        except ConfigError as error:
            raise ClusterError(
                f"cannot {what}: no credentials for {self._name} ({error})",
                "use a token or a certificate in the kubeconfig, or a plugin of v1beta1",
            ) from None

    @property
    def _start_cure(self) -> str:
        if self.simulated:
            return "start the simulated forge with `make up`"
        return "check the node with `kubectl get nodes`, or set synapse:target.kubeconfig"

    def _refused(self, what: str, error: ApiError) -> ClusterError:
        cures = {
            _UNAUTHORIZED: "renew the credentials in the kubeconfig",
            _FORBIDDEN: "use credentials that may do this",
        }
        code = error.status.code or 0
        kind = ClusterError
        if code == _TOO_MANY or code >= _SERVER_ERRORS:
            kind = UnreachableError
        elif code == _CONFLICT:
            kind = ConflictError
        return kind(
            f"cannot {what}: {error.status.message or code}", cures.get(code, "see the cluster")
        )


def _core(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}"


def _unreadable(namespace: str, pod: str, answer: httpx2.Response) -> ClusterError:
    return ClusterError(
        f"the log of {pod} cannot be read ({_said(answer)})",
        f"try `kubectl -n {namespace} logs {pod}`",
    )


def _is_status(answer: httpx2.Response) -> bool:
    """Whether this is the API server's own object `Status`, and not the service's answer."""
    if answer.is_success:
        return False
    try:
        body = answer.json()
    except ValueError:
        return False
    return isinstance(body, dict) and body.get("kind") == "Status"


def _said(answer: httpx2.Response) -> str:
    if _is_status(answer):
        return str(answer.json().get("message") or answer.status_code)
    return f"status {answer.status_code}"


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def connect(target: Target) -> Cluster:
    """Open the target's cluster. No call is made yet.

    Raises:
        ClusterError: the target names no cluster that could be asked.
    """
    return Cluster(find_config(target), simulated=target.kind is TargetKind.SIM)
