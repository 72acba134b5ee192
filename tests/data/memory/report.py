"""Prints the formula beside every reported start-up: `python -m tests.data.memory.report`."""

from rich.console import Console
from rich.table import Table

from tests.data.memory.reports import comparisons, spread


def main() -> None:
    """The table and its summary line."""
    table = Table("start-up", "predicted GiB", "reported GiB", "error GiB", "error %")
    found = comparisons()
    for one in sorted(found, key=lambda item: item.error_gib):
        predicted = f"{one.memory.kv_available_gib:.2f}"
        error = (f"{one.error_gib:+.2f}", f"{one.error_percent:+.1f}")
        table.add_row(one.label, predicted, f"{one.reported_kv_gib:.2f}", *error)
    console = Console()
    console.print(table)
    total = spread(found)
    console.print(
        f"{total.count} start-ups: error of the KV cache, median {total.median_gib:.2f} GiB, "
        f"p90 {total.p90_gib:.2f} GiB, worst over-promise {total.worst_promise_gib:.2f} GiB; "
        f"median {total.median_percent:.1f} %, p90 {total.p90_percent:.1f} % "
        "(of caches of 4 GiB and more)"
    )


if __name__ == "__main__":
    main()
