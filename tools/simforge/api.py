"""The few calls to the API server that the simulated forge makes itself."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.simforge.errors import SimForgeError

FIELD_MANAGER = "synapse-simforge"

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Api:
    """A client of one API server, as its administrator."""

    url: str
    token: str
    certificate: Path

    def ready(self) -> bool:
        """Whether the server says that it is ready."""
        try:
            self.call("GET", "/readyz")
        except (OSError, SimForgeError):
            return False
        return True

    def apply(self, collection: str, manifest: Manifest, subresource: str = "") -> Manifest:
        """Creates or changes one object, or a part of it, by server-side apply."""
        path = "/".join(filter(None, (collection, manifest["metadata"]["name"], subresource)))
        query = f"?fieldManager={FIELD_MANAGER}&force=true"
        return self.call("PATCH", path + query, manifest, "application/apply-patch+yaml")

    def call(
        self,
        method: str,
        path: str,
        body: Manifest | None = None,
        content_type: str = "application/json",
    ) -> Manifest:
        """Makes one call.

        Raises:
            SimForgeError: The server refused it.
            OSError: The server does not answer.
        """
        request = urllib.request.Request(  # noqa: S310 always https on loopback
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": content_type},
        )
        try:
            with urllib.request.urlopen(request, timeout=10, context=self._tls()) as answer:  # noqa: S310 as above
                content = answer.read()
        except urllib.error.HTTPError as error:
            reason = error.read().decode("utf-8", "replace")
            raise SimForgeError(f"{method} {path}: {error.code} {reason}") from error
        return json.loads(content) if content.startswith(b"{") else {}

    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))
