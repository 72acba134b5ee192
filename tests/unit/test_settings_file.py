"""The stack file: whatever stands in it, it is settings or one clear line, never a traceback."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synapse.settings.load import read_stack_file
from synapse.settings.problems import SettingsError

FORGE = Path(__file__).parents[2] / "Pulumi.forge.yaml"
SMALL = """
config:
  synapse:node: {cpus: 32, memory_gib: 196}
  synapse:gpu: {model: rtx-5090}
"""


def line(path: Path, text: str | bytes | None = None) -> str:
    """The one line that is said about a file."""
    if isinstance(text, str):
        path.write_text(text, encoding="utf-8")
    elif text is not None:
        path.write_bytes(text)
    with pytest.raises(SettingsError) as caught:
        read_stack_file(path)
    (problem,) = caught.value.problems
    assert len(str(problem).splitlines()) == 1
    return str(problem)


def test_the_forge_s_file_is_read() -> None:
    assert read_stack_file(FORGE).namespace == "llm-infra"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no `config:` section"),
        ("   \n", "no `config:` section"),
        ("# nothing\n", "no `config:` section"),
        ("config:\n", "no `config:` section"),
        ("config: 3\n", "no `config:` section"),
        ("- config\n", "no `config:` section"),
        ("a: [1\n", "line 2, column 1"),
        ("config: {a: b\n  c: d", "line 2"),
        ("config:\n\tsynapse:phase: 1\n", "line 2"),
        ("config: &a [*a]\n", "no `config:` section"),
        ("config: *missing\n", "undefined alias"),
        ("config: !!python/object:os.system {}\n", "could not determine a constructor"),
        ("config: {}\n---\nconfig: {}\n", "another document"),
        ("config: {when: 2026-13-45}\n", "impossible value"),
        ("config: {when: !!int many}\n", "impossible value"),
        ("config: {? [a] : b}\n", "unhashable key"),
        ("config: {a: 1, a: 2}\n", "`a` stands here for a second time"),
        (SMALL + "  synapse:phase: 1\n  synapse:phase: 3\n", "line 6, column 3: the key"),
        (SMALL + "config: {}\n", "line 5, column 1: the key `config`"),
        (SMALL + "  synapse:ollama: {memory_gib: 9, 'memory_gib': 96}\n", "`memory_gib` stands"),
        (b"\x00\x01\x02", "not a text of YAML"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "not a text in UTF-8"),
        ("config:\n  a: " + "[" * 100_000 + "]" * 100_000, "more than 50 levels"),
        ("config:\n  a: " + "{a: " * 5_000 + "}" * 5_000, "more than 50 levels"),
    ],
)
def test_a_file_that_is_no_stack_file_is_one_line(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    found = line(tmp_path / "Pulumi.x.yaml", text)
    assert said in found
    assert "Pulumi.x.yaml" in found and "name one by --config FILE" in found


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    assert "No such file" in line(tmp_path / "none.yaml")
    assert "Is a directory" in line(tmp_path)
    assert "Not a directory" in line(FORGE / "below")
    assert "null byte" in line(Path("a\0b"))
    assert "too long" in line(Path("x" * 5000))


def test_a_secret_in_a_broken_file_is_not_repeated(tmp_path: Path) -> None:
    text = "config:\n  synapse:hf_token: hf_abcdef: [\n  synapse:gateway_key: 'sk-abcdef\n"
    assert "abcdef" not in line(tmp_path / "x.yaml", text)


def test_anchors_and_merges_are_read_as_yaml_has_them(tmp_path: Path) -> None:
    """The engine reads them too; a key that overrides a merged one does not stand twice."""
    path = tmp_path / "x.yaml"
    path.write_text(
        SMALL
        + "  synapse:gateway: &size {cpu_request: 1, cpu_limit: 2}\n"
        + "  synapse:monitoring: {<<: *size, cpu_limit: 3}\n"
    )
    made = read_stack_file(path)
    assert (made.monitoring.cpu_request, made.monitoring.cpu_limit) == (1, 3)


def test_aliases_that_multiply_are_refused_in_no_time(tmp_path: Path) -> None:
    """Ten levels of ten aliases each: ten thousand million items if somebody prints them."""
    levels = ["x: &x0 [lol]"]
    levels += [f"y{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]" for n in range(1, 11)]
    text = "\n".join(levels) + SMALL + "  synapse:phase: *x10\n"
    assert len(line(tmp_path / "x.yaml", text)) < 300


def test_an_endless_alias_is_refused(tmp_path: Path) -> None:
    text = SMALL + "  synapse:engine: &e {kind: *e}\n"
    assert "synapse:engine.kind" in line(tmp_path / "x.yaml", text)


@pytest.mark.parametrize("key", ["phase", "synaspe:phase", "Synapse:phase", "3"])
def test_a_key_without_the_project_s_prefix_is_refused(tmp_path: Path, key: str) -> None:
    """The engine would take `phase`, and pass over `synaspe:phase` in silence."""
    found = line(tmp_path / "x.yaml", SMALL + f"  {key}: 3\n")
    assert found.startswith(key) and "write synapse:" in found


def test_keys_of_others_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(
        "encryptionsalt: v1:abc\n" + SMALL + "  kubernetes:context: k3s\n  pulumi:tags: {a: b}\n"
    )
    assert read_stack_file(path).phase == 1


def test_a_stray_key_and_a_bad_value_are_said_together(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(SMALL + "  phase: 3\n  synapse:phase: 9\n")
    with pytest.raises(SettingsError) as caught:
        read_stack_file(path)
    assert len(caught.value.problems) == 2


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=60)
    | st.text("abc:{}[]&*!|>-'\"?#%@ \n\t0123", max_size=60).map(str.encode)
    | st.text("abc:{}[]&*<!- \n0", max_size=40).map(lambda t: (SMALL + "  synapse:" + t).encode())
)
def test_any_bytes_are_settings_or_a_settings_error(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "any.yaml"
    path.write_bytes(text)
    try:
        read_stack_file(path)
    except SettingsError as error:
        assert len(str(error).splitlines()) == 1 + len(error.problems)
