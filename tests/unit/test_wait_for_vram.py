"""The script that a GPU pod waits with, run by a real shell beside a fake nvidia-smi and clock."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "synapse" / "components" / "wait_for_vram.sh"
LIMIT_SECONDS = 20
# Each answer is a line: an exit status, and what is printed. The last one is repeated.
_NVIDIA_SMI = """\
#!/bin/sh
echo "$*" >> asked
line=$(head -n 1 answers)
[ "$(wc -l < answers)" -gt 1 ] && tail -n +2 answers > rest && mv rest answers
printf '%b\\n' "${line#* }"
exit "${line%% *}"
"""
_DATE = "#!/bin/sh\ncat clock\n"
_SLEEP = "#!/bin/sh\necho $(($(cat clock) + $1)) > clock\n"


@dataclass(frozen=True)
class Waited:
    """How it ended, what it said, and after how long by the fake clock."""

    status: int
    said: str
    printed: str
    seconds: int


@pytest.fixture
def wait(tmp_path: Path) -> "Wait":
    return Wait(tmp_path)


class Wait:
    """Runs the script in a folder whose programs are fakes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = folder / "bin"
        self.programs.mkdir()
        self.fake("nvidia-smi", _NVIDIA_SMI)
        self.fake("date", _DATE)
        self.fake("sleep", _SLEEP)

    def fake(self, name: str, text: str) -> None:
        path = self.programs / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def __call__(self, *answers: str, needs: int = 20000, program: tuple[str, ...] = ()) -> Waited:
        (self.folder / "answers").write_text("\n".join(answers) + "\n", encoding="utf-8")
        (self.folder / "clock").write_text("1000\n", encoding="utf-8")
        run = subprocess.run(
            ["/bin/sh", SCRIPT, str(needs), "60", *program],
            cwd=self.folder,
            env={**os.environ, "PATH": f"{self.programs}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        now = int((self.folder / "clock").read_text(encoding="utf-8"))
        return Waited(run.returncode, run.stderr, run.stdout, now - 1000)

    @property
    def asked(self) -> list[str]:
        return (self.folder / "asked").read_text(encoding="utf-8").splitlines()


def test_it_ends_at_once_where_enough_is_free(wait: Wait) -> None:
    done = wait("0 20000")
    assert (done.status, done.seconds, done.printed) == (0, 0, "")
    assert "20000 MiB are free, 20000 are needed" in done.said
    assert wait.asked == ["--query-gpu=memory.free --format=csv,noheader,nounits"]


def test_it_waits_until_the_other_one_has_gone(wait: Wait) -> None:
    done = wait("0 7000", "0 7000", "0 19999", "0 31000")
    assert (done.status, done.seconds) == (0, 6)
    assert done.said.count("7000 MiB are free") == 1, "said once and not each time"


def test_memory_that_never_becomes_free_ends_it_at_the_deadline(wait: Wait) -> None:
    done = wait("0 7000")
    assert done.status == 1
    assert 60 <= done.seconds <= 62
    assert "after 60 s the GPU has not 20000 MiB free: 7000 MiB are free" in done.said
    assert "synapse swap" in done.said


def test_it_becomes_the_program_with_its_arguments(wait: Wait) -> None:
    done = wait("0 30000", program=("printf", "%s|", "a b", "--flag=$(x)", ""))
    assert (done.status, done.printed) == (0, "a b|--flag=$(x)||")


def test_the_program_keeps_its_own_exit_status(wait: Wait) -> None:
    assert wait("0 30000", program=("sh", "-c", "exit 7")).status == 7


def test_the_program_does_not_start_into_memory_that_is_not_free(wait: Wait) -> None:
    done = wait("0 7000", program=("touch", "started"))
    assert done.status == 1
    assert not (wait.folder / "started").exists()


@pytest.mark.parametrize(
    "garbled",
    [
        "0 [N/A]",
        "0 ",
        "0 -1",
        "0 20000 MiB",
        "0 20000\\n20000",
        "0 99999999999999999999",
        "0 No devices were found",
        "9 Failed to initialize NVML: Driver/library version mismatch",
        "255 Unable to determine the device handle",
    ],
)
def test_a_garbled_answer_counts_as_not_free(wait: Wait, garbled: str) -> None:
    done = wait(garbled)
    assert done.status == 1
    assert garbled.partition(" ")[2].partition("\\n")[0] in done.said
    assert "Illegal number" not in done.said and "syntax" not in done.said


def test_an_answer_after_garbled_ones_is_taken(wait: Wait) -> None:
    done = wait("9 Failed to initialize NVML", "0 [N/A]", "0 25000")
    assert (done.status, done.seconds) == (0, 4)


def test_a_late_answer_is_not_waited_for(wait: Wait) -> None:
    """By the real `timeout`, whose ten seconds are cut to a tenth of one."""
    wait.fake("nvidia-smi", "#!/bin/sh\nexec tail -f /dev/null\n")
    real = subprocess.run(
        ["sh", "-c", "command -v timeout"], capture_output=True, text=True, check=True
    )
    wait.fake("timeout", f'#!/bin/sh\nshift 3\nexec {real.stdout.strip()} -k 1 0.1 "$@"\n')
    done = wait("0 0")
    assert done.status == 1
    assert "nvidia-smi gave no answer within 10 s" in done.said


def test_without_nvidia_smi_it_says_at_once_what_the_pod_lacks(wait: Wait) -> None:
    (wait.programs / "nvidia-smi").unlink()
    done = wait("0 0")
    assert (done.status, done.seconds) == (1, 0)
    assert "RuntimeClass" in done.said and "NVIDIA_DRIVER_CAPABILITIES" in done.said


def test_it_is_a_script_of_the_plain_shell() -> None:
    text = SCRIPT.read_text(encoding="utf-8")
    assert text.startswith("#!/bin/sh\n")
    assert "[[" not in text and "function " not in text and "$'" not in text
