"""What a client asks for when it joins a channel."""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aico.core.errors import InvalidInput
from aico.embedded.realtime.filters import Filter, parse_filter
from aico.embedded.realtime.pgoutput import Change, Relation

ANY = "*"
_PREFIX = "realtime:"
_MAX_COLUMNS = 100
_WHAT = ("event", "schema", "table", "filter", "select")


@dataclass(frozen=True, slots=True)
class Binding:
    """Changes that a channel wants to hear of. `id` is what both sides call it."""

    id: int  # never 0, which the Python client takes for none
    event: str
    schema: str
    table: str
    filter: Filter
    select: tuple[str, ...] = ()  # none: every column

    def hears_of(self, relation: Relation) -> bool:
        return self.schema in {ANY, relation.schema} and self.table in {ANY, relation.table}

    def takes(self, change: Change) -> bool:
        """Whatever its filter."""
        return self.event in {ANY, change.kind} and self.hears_of(change.relation)


class _Broadcast(BaseModel):
    ack: bool | None = None
    self: bool | None = None
    replication_ready: bool | None = None


class _Presence(BaseModel):
    enabled: bool | None = None


class _Wanted(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    broadcast: _Broadcast | None = None
    presence: _Presence | None = None
    private: bool | None = None
    changes: list[dict[str, Any]] | None = Field(default=None, alias="postgres_changes")


class _Join(BaseModel):
    config: _Wanted | None = None
    access_token: str | None = None


@dataclass(frozen=True, slots=True)
class Join:
    name: str  # of the topic, without the prefix that every topic has
    token: str | None
    private: bool
    acknowledges: bool
    echoes: bool  # whether a sender hears itself
    presence: bool
    tells_replication: bool
    changes: tuple[dict[str, Any], ...]  # as the client wrote them


def name_of(topic: str) -> str | None:
    """None for a topic that nobody can join."""
    return topic.removeprefix(_PREFIX) or None if topic.startswith(_PREFIX) else None


def parse_join(topic: str, payload: dict[str, Any]) -> Join:
    """Raises InvalidInput."""
    name = name_of(topic)
    if name is None:
        raise InvalidInput("TopicNameRequired: You must provide a topic name")
    try:
        join = _Join.model_validate(payload)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise InvalidInput(f"InvalidJoinPayload: {where} is not of the right kind") from error
    wanted = join.config or _Wanted()
    broadcast = wanted.broadcast or _Broadcast()
    return Join(
        name,
        join.access_token or None,
        private=bool(wanted.private),
        acknowledges=bool(broadcast.ack),
        echoes=bool(broadcast.self),
        presence=bool(wanted.presence and wanted.presence.enabled),
        tells_replication=bool(broadcast.replication_ready),
        changes=tuple(wanted.changes or ()),
    )


def echoed(changes: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
    """What clients compare with what they asked for, position by position."""
    return [
        {**{name: change[name] for name in _WHAT if name in change}, "id": number}
        for number, change in enumerate(changes, 1)
    ]


def parse_bindings(changes: tuple[dict[str, Any], ...]) -> tuple[Binding, ...]:
    """Raises InvalidInput."""
    return tuple(_binding(number, change) for number, change in enumerate(changes, 1))


def _binding(number: int, change: dict[str, Any]) -> Binding:
    if "schema" not in change and "table" not in change:
        raise InvalidInput("No subscription params provided. Please provide at least a `schema` or `table`")
    schema, table = _named(change, "schema", "public"), _named(change, "table", ANY)
    selected = change.get("select")
    if selected is not None and not (isinstance(selected, list) and all(isinstance(name, str) for name in selected)):
        raise InvalidInput("Error parsing `select` params: expected a list of column names")
    if selected and (len(selected) > _MAX_COLUMNS or ANY in {schema, table}):
        raise InvalidInput("Column selection takes an explicit schema and table, and at most 100 columns")
    wanted = change.get("filter")
    if wanted is not None and not isinstance(wanted, str):
        raise InvalidInput("Error parsing `filter` params: expected a text")
    filters = parse_filter(wanted or "")
    if filters and ANY in {schema, table}:
        raise InvalidInput("Error parsing `filter` params: a filter takes an explicit schema and table")
    return Binding(number, _event(change.get("event")), schema, table, filters, tuple(selected or ()))


def _named(change: dict[str, Any], what: Literal["schema", "table"], otherwise: str) -> str:
    value = change.get(what)
    if value is None:
        return otherwise
    if not isinstance(value, str) or "\0" in value:
        raise InvalidInput(f"`{what}` is a name")
    return value


def _event(value: Any) -> str:
    event = value.upper() if isinstance(value, str) else ANY
    return event if event in {"INSERT", "UPDATE", "DELETE"} else ANY
