"""Whatever is written in a stack file, it is settings or an error that can be read."""

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from synapse.settings.load import parse
from synapse.settings.problems import SettingsError
from synapse.settings.settings import Settings
from tests.unit.forge_config import changed
from tests.unit.stacks import FILE

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**300, max_value=10**301)
    | st.floats()
    | st.text(st.characters(), max_size=8)  # surrogates and control characters too
    | st.dates()
    | st.binary(max_size=4)
    | st.sampled_from(["96Gi", "sk-secretvalue", "llama3.1:8b", "engine", "vllm", "a/b:1"])
)
nonsense = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(), max_size=4) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


def places(model: object, prefix: str = "") -> list[str]:
    """Every dotted place of the forge's config."""
    if isinstance(model, dict):
        inner = [
            place for key, value in model.items() for place in places(value, f"{prefix}{key}.")
        ]
        return inner + ([prefix[:-1]] if prefix else [])
    if isinstance(model, list):
        found = enumerate(model)
        return [prefix[:-1]] + [p for at, one in found for p in places(one, f"{prefix}{at}.")]
    return [prefix[:-1]]


ALL_KEYS = sorted(
    {
        f"{name}.{leaf}"
        for name, section in FILE.items()
        if isinstance(section, dict)
        for leaf in section
    }
    | set(Settings.model_fields)
    | {
        place
        for place in places(FILE)
        if not place.startswith(("ollama.models.", "clients.0.selector."))
    }
)


def refused_cleanly(config: Mapping[str, object]) -> None:
    try:
        parse(config)
    except SettingsError as error:
        said = str(error)
        said.encode("utf-8")  # printable: no lone surrogate
        assert len(said.splitlines()) == 1 + len(error.problems)
        assert error.problems
        assert "secretvalue" not in said


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.sampled_from(ALL_KEYS), nonsense, max_size=4))
def test_nonsense_in_known_places_is_refused_and_nothing_else_comes_out(
    changes: dict[str, object],
) -> None:
    try:
        config = changed(changes)
    except (AttributeError, IndexError, TypeError, ValueError):
        return  # one change took away the place of another
    refused_cleanly(config)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(sorted(Settings.model_fields)) | st.text(st.characters(), max_size=5),
        nonsense,
        max_size=6,
    )
)
def test_any_mapping_is_settings_or_a_settings_error(config: dict[str, object]) -> None:
    refused_cleanly(config)
