"""An image's name taken apart: `registry:5000/path/program:tag@sha256:…`."""

import re
from typing import NamedTuple

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_LATEST = re.compile(r"(^|[._-])latest($|[._-])")


class ImageReference(NamedTuple):
    """The parts of an image's name; an empty text for one that is missing."""

    repository: str
    tag: str
    digest: str

    @property
    def program(self) -> str:
        """The last part of the repository: `ollama` of `docker.io/ollama/ollama:0.12`."""
        return self.repository.rpartition("/")[2]

    @property
    def has_digest(self) -> bool:
        """Whether it names the image's very content."""
        return _DIGEST.fullmatch(self.digest) is not None

    @property
    def moves(self) -> str | None:
        """Why the same name may bring another image tomorrow; None if it does not."""
        if not self.repository:
            return "it is empty"
        if self.digest:
            return None if self.has_digest else f"its digest {self.digest!r} is none"
        if not self.tag:
            return "it has no tag, which means latest"
        if _LATEST.search(self.tag):
            return f"its tag {self.tag!r} means whatever is newest"
        if not any(char.isdigit() for char in self.tag):
            return f"its tag {self.tag!r} names no version"
        return None


def parse(image: str) -> ImageReference:
    """Take an image's name apart; a colon before a slash is the registry's port."""
    name, _, digest = image.strip().partition("@")
    path, slash, last = name.rpartition("/")
    program, _, tag = last.partition(":")
    return ImageReference(f"{path}{slash}{program}", tag, digest)
