"""Names that the catalogue has to know, checked while the config is read."""

from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator

from synapse.catalogue import UnknownEntryError, load_catalogue
from synapse.settings.fields import refusal


def _known(what: str, look_up: Callable[[str], object]) -> AfterValidator:
    def check(name: str) -> str:
        try:
            look_up(name)
        except UnknownEntryError as error:
            close = ", ".join(error.closest)
            raise refusal(
                f"{what} of the catalogue",
                f"did you mean {close}?" if close else "add it to synapse/catalogue",
            ) from None
        return name

    return AfterValidator(check)


Gpu = Annotated[str, _known("a GPU", lambda name: load_catalogue().gpu(name))]
EngineModel = Annotated[str, _known("a model", lambda name: load_catalogue().model(name))]
OllamaModel = Annotated[str, _known("an Ollama tag", lambda tag: load_catalogue().by_ollama(tag))]
