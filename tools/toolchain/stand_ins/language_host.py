"""Runs Pulumi programs and policy packs in Python, for machines without the official host.

The official `pulumi-language-python` comes with the engine's release and is used wherever that
can be had. The engine starts this one in its place, reads a port from its first line of output
and then calls it over gRPC. A program runs in a process of its own, as with the official one, so
that a preview leaves nothing behind for the update that follows.
"""

from __future__ import annotations

import importlib.util
import os
import queue
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import IO

RUN_PROGRAM = "--run-program"

if sys.argv[1:2] != [RUN_PROGRAM]:
    # The engine starts a host several times in each command. Serving takes the protocol's messages
    # alone: packages that are empty stand for the SDK, whose import costs more than all the rest.
    for _package in ("pulumi", "pulumi.runtime", "pulumi.runtime.proto"):
        _spec = importlib.util.find_spec(_package)
        if _spec:
            sys.modules[_package] = importlib.util.module_from_spec(_spec)

import grpc
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

Wrap = Callable[[bytes], language_pb2.RunPluginResponse]


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """The part of the language protocol that programs and policy packs need."""

    # The names and the arguments are those of the protocol.
    # ruff: noqa: ARG002, D102, N802

    def Handshake(
        self, request: language_pb2.LanguageHandshakeRequest, context: grpc.ServicerContext
    ) -> language_pb2.LanguageHandshakeResponse:
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(
        self, request: object, context: grpc.ServicerContext
    ) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo()

    def GetRequiredPackages(
        self, request: language_pb2.GetRequiredPackagesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetRequiredPackagesResponse:
        return language_pb2.GetRequiredPackagesResponse()

    def Run(
        self, request: language_pb2.RunRequest, context: grpc.ServicerContext
    ) -> language_pb2.RunResponse:
        read_fd, write_fd = os.pipe()
        with os.fdopen(read_fd, "rb") as answer:
            process = subprocess.Popen(
                [sys.executable, "-u", __file__, RUN_PROGRAM, str(write_fd)],
                stdin=subprocess.PIPE,
                pass_fds=[write_fd],
                cwd=request.pwd or None,
            )
            os.close(write_fd)
            context.add_callback(process.terminate)
            process.communicate(request.SerializeToString())
            content = answer.read()
        if process.returncode != 0:
            return language_pb2.RunResponse(
                error=f"the program ended with exit status {process.returncode}"
            )
        response: language_pb2.RunResponse = language_pb2.RunResponse.FromString(content)
        return response

    def RunPlugin(
        self, request: language_pb2.RunPluginRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.RunPluginResponse]:
        directory = request.info.program_directory
        if request.kind == "analyzer":
            arguments = ["-m", "pulumi.policy", *request.args, directory]
        else:
            arguments = [directory, *request.args]
        process = subprocess.Popen(
            [sys.executable, "-u", *arguments],
            cwd=request.pwd or None,
            env=dict(item.split("=", 1) for item in request.env) or None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        context.add_callback(process.terminate)
        yield from _outputs(process)
        yield language_pb2.RunPluginResponse(exitcode=process.wait())


def _outputs(process: subprocess.Popen[bytes]) -> Iterator[language_pb2.RunPluginResponse]:
    """Both streams of a process, as they come, never mixed: the engine reads a port from stdout."""
    outputs: queue.Queue[language_pb2.RunPluginResponse | None] = queue.Queue()

    def forward(stream: IO[bytes] | None, wrap: Wrap) -> None:
        while stream and (content := os.read(stream.fileno(), 1 << 16)):
            outputs.put(wrap(content))
        outputs.put(None)

    for stream, wrap in (
        (process.stdout, lambda content: language_pb2.RunPluginResponse(stdout=content)),
        (process.stderr, lambda content: language_pb2.RunPluginResponse(stderr=content)),
    ):
        threading.Thread(target=forward, args=(stream, wrap), daemon=True).start()
    for _ in range(2):
        while (output := outputs.get()) is not None:
            yield output


def run_program(answer_fd: int) -> None:
    """Runs the program that the request on stdin names, and writes the answer."""
    from pulumi.automation._server import LanguageServer  # noqa: PLC0415 a host does without it

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends without a traceback
    request = language_pb2.RunRequest.FromString(sys.stdin.buffer.read())
    directory = request.info.program_directory
    sys.path.insert(0, directory)

    def program() -> None:
        target = os.path.join(directory, request.info.entry_point)  # noqa: PTH118 "." must stay
        runpy.run_path(os.path.normpath(target), run_name="__main__")

    response = LanguageServer(program).Run(request, None)  # type: ignore[no-untyped-call]  # untyped in the SDK
    # The error has been logged by now; the engine only has to know that there was one.
    failed = bool(response.error)
    with os.fdopen(answer_fd, "wb") as answer:
        answer.write(language_pb2.RunResponse(bail=failed).SerializeToString())
    # All is said. Taking thousands of modules apart again would hold up every command.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def serve() -> None:
    """Serves on loopback until the engine ends it, or is gone itself."""
    engine = os.getppid()
    server = grpc.server(ThreadPoolExecutor(max_workers=8))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(), server)
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
    if sys.argv[1:2] == [RUN_PROGRAM]:
        run_program(int(sys.argv[2]))
    else:
        serve()
