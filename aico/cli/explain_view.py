"""How it looks on a terminal why an answer is served again, or is not."""

from collections.abc import Iterable
from typing import Any

from rich.table import Table
from rich.text import Text

from aico.cli.show import out

Json = dict[str, Any]


def show(found: Json) -> None:
    """What `POST /v1/cache/explain` answers."""
    out.print("served" if found["served"] else "not served", style="green" if found["served"] else "yellow")
    out.print(Text(found["why"]))
    out.print(_figures(found))
    if found["guards"]:
        out.print(_guards(found["guards"]))
    if found["pair"] is not None:
        out.print(_parts("the two texts", found["pair"]["features"]))
        out.print(_parts("what is known of the namespace", found["verdict"]["features"]))


def _figures(found: Json) -> Table:
    table = Table(show_header=False, box=None)
    if found["cosine"] is not None:
        pair, verdict = found["pair"], found["verdict"]
        table.add_row("cosine", f"{found['cosine']:.4f}, of at least {found['least_cosine']:.4f}")
        table.add_row("score of the two texts", f"{pair['score']:.4f}")
        scored = f"{verdict['probability']:.4f} ({verdict['log_odds']:+.2f} log-odds)"
        table.add_row("score", f"{scored}, of at least {verdict['cut_probability']:.4f} ({verdict['cut']:+.2f})")
        table.add_row("namespace", verdict["state"])
    table.add_row("guards", found["guard_policy"])
    return table


def _guards(guards: Iterable[Json]) -> Table:
    table = Table("guard", "forbids", "why")
    for one in guards:
        table.add_row(one["name"], "yes" if one["forbids"] else "no", one["why"])
    return table


def _parts(title: str, parts: Iterable[Json]) -> Table:
    table = Table("feature", "value", "weight", "log-odds", title=title, title_justify="left")
    for one in sorted(parts, key=lambda part: -abs(part["contribution"])):
        table.add_row(one["name"], f"{one['value']:.3f}", f"{one['weight']:.3f}", f"{one['contribution']:+.2f}")
    return table
