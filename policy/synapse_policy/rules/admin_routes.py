"""What only operators and scrapers need of a server is not routed outside."""

from pulumi_policy import StackValidationArgs

from synapse_policy.judging import Report, stack_rule
from synapse_policy.objects import by_cluster
from synapse_policy.routes import Route, routes_in, servers_behind
from synapse_policy.servers import Server

_SHOWN = 6


def check(args: StackValidationArgs, report: Report) -> None:
    """Judge every route that leads to a recognised server."""
    for objects in by_cluster(args.resources):
        for route in routes_in(objects):
            seen = []
            for service in route.services:
                for workload, server in servers_behind(service, objects):
                    if server not in seen:
                        seen.append(server)
                        _judge(route, workload.label, server, report)


def _judge(route: Route, workload: str, server: Server, report: Report) -> None:
    open_paths = [path for path in server.not_for_clients if route.lets(path)]
    if not open_paths:
        return
    shown = ", ".join(open_paths[:_SHOWN])
    more = len(open_paths) - _SHOWN
    shown += f" and {more} more" if more > 0 else ""
    report(
        f"{route.label}: it lets {shown} pass to {server.name} ({workload}), which are for "
        "operators and scrapers alone; name the paths that clients need, such as "
        "PathPrefix(`/v1/`)",
        route.owner.urn,
    )


RULES = (
    stack_rule(
        name="admin-not-routed-deployed",
        description="No route from outside lets metrics, keys, admin pages or sleep calls pass.",
        reason=(
            "A route for a whole host, or for such a path, shows metrics and users to everybody, "
            "and lets whoever holds a key make keys, change models, or put the engine to sleep."
        ),
        cure="Route the paths that clients need by name: Host(…) && PathPrefix(`/v1/`).",
        check=check,
    ),
)
