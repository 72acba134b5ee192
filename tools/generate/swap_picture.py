"""A recorded swap as a picture: who had the GPU, and how long each step took."""

from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

from synapse.console.swap_progress import title
from synapse.swap.timeline import Step, StepRecord, Timeline

_WIDTH, _LEFT, _RIGHT = 900, 190, 90
_TOP, _ROW, _BAR = 64, 26, 16
_TICKS = 6
_NICE_STEPS = (1.0, 2.0, 5.0)
_COLOURS = {"done": "#4c78a8", "failed": "#e45756"}
_LANES = {"chat": "#72b7b2", "speech": "#f2cf5b"}
_TEXT, _FAINT = "#333333", "#dddddd"


def swap_picture(record: Path) -> str:
    """Draw what `python -m synapse swap … --record FILE` wrote, as SVG."""
    timeline = Timeline.model_validate_json(record.read_text(encoding="utf-8"))
    height = _TOP + _ROW * (len(timeline.steps) + 2) + 10
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
            'font-family="sans-serif" font-size="13">',
            f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
            *_heading(timeline),
            *_axis(timeline, height),
            *_lane(timeline),
            *(
                line
                for number, one in enumerate(timeline.steps, 1)
                for line in _bar(timeline, number, one)
            ),
            "</svg>\n",
        ]
    )


def _heading(timeline: Timeline) -> Iterator[str]:
    where = "simulated pods, which stop and start at once" if timeline.simulated else "real pods"
    yield _label(10, 22, f"{' → '.join(timeline.way)}: {timeline.outcome}", bold=True)
    yield _label(
        10,
        42,
        f"{timeline.took_seconds:.2f} s on {timeline.began_at:%Y-%m-%d}, {where}",
    )


def _axis(timeline: Timeline, height: int) -> Iterator[str]:
    step = _tick_seconds(timeline.took_seconds)
    for number in range(int(timeline.took_seconds / step) + 1):
        x = _x(timeline, number * step)
        yield f'<path d="M{x:.1f} {_TOP}V{height - 10}" stroke="{_FAINT}"/>'
        yield _label(x, _TOP - 6, f"{number * step:g} s", anchor="middle")


def _tick_seconds(total: float) -> float:
    """The round number of seconds that gives about as many ticks as are wanted."""
    size = 0.001
    while True:
        for nice in _NICE_STEPS:
            if total / (size * nice) <= _TICKS:
                return size * nice
        size *= 10


def _lane(timeline: Timeline) -> Iterator[str]:
    """Who had the GPU: the one until its pods are gone, the other from when its pod may start."""
    ends = {one.step: one.began_seconds + one.took_seconds for one in timeline.steps}
    y = _TOP + 4
    yield _label(10, y + 13, "has the GPU")
    left_at, entered_at = ends.get(Step.GONE), ends.get(Step.MEMORY)
    there_and_back = Step.HOLD in ends or timeline.outcome != "swapped"
    if left_at is None or entered_at is None or there_and_back:
        return
    yield _rectangle(timeline, y, 0, left_at, _LANES[timeline.source])
    yield _rectangle(timeline, y, entered_at, timeline.took_seconds, _LANES[timeline.target])
    yield _label(_x(timeline, 0) + 4, y + 13, timeline.source)
    yield _label(_x(timeline, timeline.took_seconds) - 4, y + 13, timeline.target, anchor="end")


def _bar(timeline: Timeline, number: int, one: StepRecord) -> Iterator[str]:
    y = _TOP + 4 + _ROW * number
    end = one.began_seconds + one.took_seconds
    yield _label(10, y + 13, f"{title(one.step)}, {one.what}")
    yield _rectangle(timeline, y, one.began_seconds, end, _COLOURS[one.ended])
    yield _label(_x(timeline, end) + 6, y + 13, f"{one.took_seconds:.2f} s")


def _rectangle(timeline: Timeline, y: int, begin: float, end: float, colour: str) -> str:
    x = _x(timeline, begin)
    width = max(1.0, _x(timeline, end) - x)
    return f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{colour}"/>'


def _x(timeline: Timeline, seconds: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * seconds / max(timeline.took_seconds, 0.001)


def _label(x: float, y: float, text: str, *, anchor: str = "start", bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{_TEXT}"{weight}>'
        f"{escape(text)}</text>"
    )
