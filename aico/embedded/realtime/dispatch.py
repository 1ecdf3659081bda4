"""Takes each batch of changes to the channels that are to hear of it."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aico.core.errors import InvalidInput, Unavailable
from aico.core.logs import log
from aico.embedded.realtime.channels import Channel, Channels
from aico.embedded.realtime.credentials import Holder
from aico.embedded.realtime.database import Database, Refused, Seen
from aico.embedded.realtime.filters import Filter
from aico.embedded.realtime.frames import compact, encode
from aico.embedded.realtime.joining import Binding
from aico.embedded.realtime.pgoutput import Change, Relation
from aico.embedded.realtime.visibility import Table

LOST = "Changes may have been missed"
_MESSAGES = ("realtime", "messages")
_SMALL = 64  # bytes of a value that is told even of a row which is too large
_TABLES_KEPT = 1000
_BATCHES_KEPT = 20  # that wait to be told; then the reading waits
_TOO_LARGE = "Error 413: Payload Too Large"

Subscription = tuple[Channel, Binding]
Placed = tuple[int, Change]  # with its place in the batch
Question = tuple[Relation, list[Placed], list[Subscription]]


@dataclass(frozen=True, slots=True)
class Delivery:
    place: int
    channel: Channel
    payload: str


class Dispatcher:
    def __init__(self, channels: Channels, database: Database) -> None:
        self._channels = channels
        self._database = database
        self._tables: dict[tuple[Relation, str], Table] = {}
        self._batches: asyncio.Queue[list[Change]] = asyncio.Queue(_BATCHES_KEPT)

    def forget_tables(self) -> None:
        """What a role may read of them is asked again."""
        self._tables.clear()

    async def deliver(self, changes: Sequence[Change]) -> None:
        """Broadcasts at once. Changes of tables wait for one another, because somebody has to be asked about each."""
        rows = []
        for change in changes:
            if (change.relation.schema, change.relation.table) == _MESSAGES:
                self._broadcast(change)
            elif change.kind != "DELETE":  # a row that is gone cannot be asked after: nobody is told whose it was
                rows.append(change)
        if rows:
            await self._batches.put(rows)

    async def run(self) -> None:
        """For ever: tells the changes, batch by batch."""
        while True:
            changes = await self._batches.get()
            try:
                await self._tell(changes)
            except Exception:  # noqa: BLE001 # one change that cannot be told does not end all of them
                log.exception("realtime_changes_failed")
                self._channels.interrupt(list(self._channels), LOST)

    async def _tell(self, changes: Sequence[Change]) -> None:
        by_relation: defaultdict[Relation, list[Placed]] = defaultdict(list)
        for place, change in enumerate(changes):
            by_relation[change.relation].append((place, change))
        asked: defaultdict[str, list[Question]] = defaultdict(list)
        for relation, placed in by_relation.items():
            for claims, subscriptions in self._subscriptions(relation).items():
                asked[claims].append((relation, placed, subscriptions))
        await asyncio.gather(*(self._tell_holder(questions) for questions in asked.values()))

    async def _tell_holder(self, questions: list[Question]) -> None:
        """In the order of the commits, whichever table they are of. Nobody waits for what another holder asks."""
        told = await asyncio.gather(*(self._ask(*question) for question in questions))
        deliveries = [delivery for each in told for delivery in each]
        for delivery in sorted(deliveries, key=lambda delivery: delivery.place):
            if delivery.channel.joined:
                delivery.channel.push("postgres_changes", delivery.payload)

    def _broadcast(self, change: Change) -> None:
        row = change.new
        topic, private = row.get("topic") or "", row.get("private") == "t"
        hearers = self._channels.at(topic, private=private)
        if not hearers or row.get("extension") != "broadcast":
            return
        event, identity = json.dumps(row.get("event")), json.dumps({"id": row["id"]})
        payload = row.get("payload") or "{}"
        send_to(hearers, f'{{"type":"broadcast","event":{event},"payload":{payload},"meta":{identity}}}')

    def _subscriptions(self, relation: Relation) -> Mapping[str, list[Subscription]]:
        """By the claims of who asks: with the same ones everybody sees the same rows."""
        found: defaultdict[str, list[Subscription]] = defaultdict(list)
        for channel in self._channels:
            for binding in channel.bindings:
                if binding.hears_of(relation):
                    found[channel.holder.claims].append((channel, binding))
        return found

    async def _ask(self, relation: Relation, placed: list[Placed], subscriptions: list[Subscription]) -> list[Delivery]:
        holder = subscriptions[0][0].holder
        filters = list(dict.fromkeys(binding.filter for _, binding in subscriptions if binding.filter))
        channels = {channel: None for channel, _ in subscriptions}
        try:
            table = await self._table(relation, holder)
            if not table.key:
                return []
            seen = await self._database.see(holder, table, [change.new for _, change in placed], filters)
        except (Refused, InvalidInput) as error:  # the latter: a column that it names is there no more
            for channel in channels:
                self._channels.close(channel, f"postgres_changes: {error}")
            return []
        except Unavailable:
            log.warning("realtime_changes_lost", table=relation.table, channels=len(channels))
            self._channels.interrupt(channels, LOST)
            return []
        return [
            delivery
            for found in seen
            for delivery in self._deliveries(placed[found.place], found, table, (subscriptions, filters))
        ]

    def _deliveries(
        self, placed: Placed, seen: Seen, table: Table, asked: tuple[list[Subscription], list[Filter]]
    ) -> Iterable[Delivery]:
        place, change = placed
        subscriptions, filters = asked
        matching = {wanted for wanted, matches in zip(filters, seen.matches, strict=True) if matches}
        wanted: defaultdict[Channel, defaultdict[tuple[str, ...], list[int]]] = defaultdict(lambda: defaultdict(list))
        for channel, binding in subscriptions:
            if binding.takes(change) and (not binding.filter or binding.filter in matching):
                wanted[channel][binding.select].append(binding.id)
        for channel, selections in wanted.items():
            for selected, ids in selections.items():
                data = _data(change, table, seen.record, selected, self._channels.limits.change_bytes)
                yield Delivery(place, channel, f'{{"ids":{compact(ids)},"data":{data}}}')

    async def _table(self, relation: Relation, holder: Holder) -> Table:
        """Another `relation` is another object as soon as the table has been altered."""
        key = (relation, holder.role)
        if key not in self._tables:
            if len(self._tables) >= _TABLES_KEPT:
                self._tables.clear()
            self._tables[key] = await self._database.describe(relation.schema, relation.table, holder.role)
        return self._tables[key]


def send_to(hearers: Iterable[Channel], payload: str) -> None:
    """A broadcast, written once for each version of the protocol."""
    written: dict[tuple[str, str], str] = {}
    for channel in list(hearers):
        key = (channel.connection.version, channel.topic)
        if key not in written:
            written[key] = encode(channel.connection.version, (None, None), channel.topic, "broadcast", payload)
        channel.connection.put(written[key])


def _data(change: Change, table: Table, record: str, selected: tuple[str, ...], most: int) -> str:
    """The change as clients read it. `record` is JSON."""
    columns = [column for column in table.columns if not selected or column.name in selected]
    errors, old = None, None
    if selected or change.kind == "UPDATE" or len(record) > most:
        values: dict[str, Any] = json.loads(record)
        old = {name: values[name] for name in table.key} if change.kind == "UPDATE" else None
        if selected:
            values = {name: value for name, value in values.items() if name in selected}
            record = compact(values)
        if len(record) > most:
            record, errors = compact({name: each for name, each in values.items() if _is_small(each)}), [_TOO_LARGE]
    head = {
        "schema": table.schema,
        "table": table.name,
        "type": change.kind,
        "commit_timestamp": change.committed_at,
        "columns": [{"name": column.name, "type": column.type_name} for column in columns],
        "errors": errors,
        **({} if old is None else {"old_record": old}),
    }
    return f'{compact(head)[:-1]},"record":{record}}}'


def _is_small(value: Any) -> bool:
    return len(compact(value)) <= _SMALL
