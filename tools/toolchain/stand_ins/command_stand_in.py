"""A STAND-IN for the `command` plugin, for machines that cannot have the official one.

It is not `pulumi-resource-command`: it does what this project's programs use of
`command:local:Command`, so that the program, the engine and the state are the real ones in a
test. Create, update, delete, triggers, environment, stdin, interpreter, dir, and the outputs of
the previous run in PULUMI_COMMAND_STDOUT and _STDERR. No assets, no remote commands. The official
plugin is used wherever it can be had.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

if __name__ == "__main__":
    # Packages that are empty stand for the SDK, whose import costs more than all the rest: the
    # official plugin has no such start either.
    for _package in ("pulumi", "pulumi.runtime", "pulumi.runtime.proto"):
        _spec = importlib.util.find_spec(_package)
        if _spec:
            sys.modules[_package] = importlib.util.module_from_spec(_spec)

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

# The names and the arguments are those of the protocol.
# ruff: noqa: ARG002, D102, N802

COMMAND = "command:local:Command"
DEFAULT_INTERPRETER = ["/bin/sh", "-c"]
# What can be set; the official plugin has more, which this one refuses rather than ignores.
INPUTS = {
    *("create", "update", "delete", "triggers", "environment", "stdin", "interpreter", "dir"),
    *("logging", "addPreviousOutputInEnv"),
}

Properties = dict[str, Any]

# How the protocol marks an unknown value, and a secret one.
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 a mark, not a secret


class CommandProvider(provider_pb2_grpc.ResourceProviderServicer):
    """The part of the provider protocol that a local command needs."""

    def __init__(self) -> None:
        self.processes: set[subprocess.Popen[str]] = set()

    def GetPluginInfo(self, request: object, context: grpc.ServicerContext) -> object:
        # The engine has found it in a folder named by its version; it compares the two.
        folder = Path(__file__).parent.name
        return plugin_pb2.PluginInfo(version=folder.rpartition("-v")[2])

    def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> object:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: object, context: grpc.ServicerContext) -> object:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: object, context: grpc.ServicerContext) -> object:
        return provider_pb2.ConfigureResponse(supportsPreview=True, acceptSecrets=True)

    def Check(self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext) -> object:
        failures = []
        if f"::{COMMAND}::" not in request.urn and f"${COMMAND}::" not in request.urn:
            failures.append(provider_pb2.CheckFailure(reason=f"the stand-in has only {COMMAND}"))
        failures += [
            provider_pb2.CheckFailure(property=key, reason="the stand-in does not have it")
            for key in _properties(request.news)
            if key not in INPUTS
        ]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def Diff(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> object:
        old, new = _plain(_properties(request.olds)), _plain(_properties(request.news))
        changed = [key for key in sorted(INPUTS) if old.get(key) != new.get(key)]
        some = provider_pb2.DiffResponse.DIFF_SOME
        return provider_pb2.DiffResponse(
            changes=some if changed else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=changed,
            replaces=["triggers"] if "triggers" in changed else [],
        )

    def Create(self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext) -> object:
        inputs = _properties(request.properties)
        outputs = self._run("create", inputs, {}, context, preview=request.preview)
        return provider_pb2.CreateResponse(
            id="" if request.preview else uuid4().hex, properties=_struct({**inputs, **outputs})
        )

    def Update(self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext) -> object:
        old, new = _properties(request.olds), _properties(request.news)
        which = "update" if new.get("update") else "create"
        outputs = self._run(which, new, old, context, preview=request.preview)
        return provider_pb2.UpdateResponse(properties=_struct({**new, **outputs}))

    def Delete(
        self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        old = _properties(request.properties)
        self._run("delete", old, old, context, preview=False)
        return empty_pb2.Empty()

    def Read(self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext) -> object:
        return provider_pb2.ReadResponse(
            id=request.id, properties=request.properties, inputs=request.inputs
        )

    def Cancel(self, request: object, context: grpc.ServicerContext) -> empty_pb2.Empty:
        for process in list(self.processes):
            process.terminate()
        return empty_pb2.Empty()

    def _run(
        self,
        which: str,
        inputs: Properties,
        previous: Properties,
        context: grpc.ServicerContext,
        *,
        preview: bool,
    ) -> Properties:
        """Runs a command; returns its outputs, or the previous ones where there is none to run.

        As with the official plugin, the outputs are secret when any input is.
        """
        plain, before = _plain(inputs), _plain(previous)
        command = plain.get(which)
        if preview:
            outputs = {"stdout": UNKNOWN, "stderr": UNKNOWN} if command else {}
        elif command:
            outputs = self._execute(command, plain, before, context)
        else:
            outputs = {key: before.get(key, "") for key in ("stdout", "stderr")}
        if plain == inputs:
            return outputs
        return {key: {_SIGNATURE: _SECRET, "value": text} for key, text in outputs.items()}

    def _execute(
        self, command: str, inputs: Properties, previous: Properties, context: grpc.ServicerContext
    ) -> Properties:
        environment = dict(os.environ)
        if inputs.get("addPreviousOutputInEnv", True) and previous:
            environment["PULUMI_COMMAND_STDOUT"] = str(previous.get("stdout", ""))
            environment["PULUMI_COMMAND_STDERR"] = str(previous.get("stderr", ""))
        environment.update(inputs.get("environment") or {})
        process = subprocess.Popen(
            [*(inputs.get("interpreter") or DEFAULT_INTERPRETER), command],
            cwd=inputs.get("dir"),
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.add(process)
        try:
            stdout, stderr = process.communicate(inputs.get("stdin") or "")
        finally:
            self.processes.discard(process)
        if process.returncode != 0:
            context.abort(
                grpc.StatusCode.UNKNOWN,
                f'exit status {process.returncode}: running "{command}":\n{stdout}{stderr}',
            )
        return {"stdout": stdout.removesuffix("\n"), "stderr": stderr.removesuffix("\n")}


def _properties(struct: struct_pb2.Struct) -> Properties:
    properties: Properties = json_format.MessageToDict(struct)
    return properties


def _plain(value: Any) -> Any:  # noqa: ANN401 any JSON value
    """The value without its marks of secrecy."""
    if isinstance(value, dict):
        if value.get(_SIGNATURE) == _SECRET:
            return _plain(value["value"])
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _struct(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    return json_format.ParseDict(dict(properties), struct_pb2.Struct())


def serve() -> None:
    """Serves on loopback until the engine ends it, or is gone itself."""
    engine = os.getppid()
    server = grpc.server(ThreadPoolExecutor(max_workers=16))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(CommandProvider(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    print(port, flush=True)  # noqa: T201 the protocol's first line
    # An engine that was killed says nothing, and leaves its child to another parent.
    while not stopped.wait(timeout=1) and os.getppid() == engine:
        pass
    server.stop(grace=None)


if __name__ == "__main__":
    serve()
