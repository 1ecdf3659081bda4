"""Reads what Postgres's own output plug-in says of a transaction: version 1 of its protocol, values as text."""

import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

Kind = Literal["INSERT", "UPDATE", "DELETE"]
Row = dict[str, str | None]  # a column that the log leaves out because it has not changed is not in it

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_KINDS: dict[int, Kind] = {ord("I"): "INSERT", ord("U"): "UPDATE", ord("D"): "DELETE"}
_NULL, _TEXT, _NEW = ord("n"), ord("t"), ord("N")


@dataclass(frozen=True, slots=True, eq=False)
class Relation:
    """A table as it is in the log. Another object where anything about it may have changed."""

    oid: int
    schema: str
    table: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    kind: Kind
    relation: Relation
    new: Row  # empty for a deletion
    committed_at: str  # ISO 8601 with milliseconds


@dataclass(slots=True)
class Decoder:
    """Is given each message in order."""

    _relations: dict[int, Relation] = field(default_factory=dict)
    _committed_at: str = ""

    def feed(self, message: bytes) -> Change | None:
        kind = message[0]
        if kind in _KINDS:
            return self._change(_KINDS[kind], message)
        if kind == ord("B"):
            (microseconds,) = struct.unpack_from(">q", message, 9)
            moment = _EPOCH + timedelta(microseconds=microseconds)
            self._committed_at = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        elif kind == ord("R"):
            relation = _relation(message)
            self._relations[relation.oid] = relation
        return None

    def _change(self, kind: Kind, message: bytes) -> Change:
        (oid,) = struct.unpack_from(">I", message, 1)
        relation, offset, new = self._relations[oid], 5, Row()
        while offset < len(message):
            which = message[offset]
            row, offset = _row(message, offset + 1, relation.columns)
            if which == _NEW:
                new = row
        return Change(kind, relation, new, self._committed_at)


def _relation(message: bytes) -> Relation:
    (oid,) = struct.unpack_from(">I", message, 1)
    schema, offset = _text(message, 5)
    table, offset = _text(message, offset)
    (count,) = struct.unpack_from(">h", message, offset + 1)  # after the replica identity
    offset += 3
    columns = []
    for _ in range(count):
        name, offset = _text(message, offset + 1)  # after its flags
        columns.append(name)
        offset += 8  # its type and the type's modifier
    return Relation(oid, schema or "pg_catalog", table, tuple(columns))


def _row(message: bytes, offset: int, columns: tuple[str, ...]) -> tuple[Row, int]:
    (count,) = struct.unpack_from(">h", message, offset)
    offset += 2
    row = Row()
    for column in columns[:count]:
        kind = message[offset]
        offset += 1
        if kind == _NULL:
            row[column] = None
        elif kind == _TEXT:
            (length,) = struct.unpack_from(">i", message, offset)
            offset += 4
            row[column] = message[offset : offset + length].decode()
            offset += length
    return row, offset


def _text(message: bytes, offset: int) -> tuple[str, int]:
    end = message.index(0, offset)
    return message[offset:end].decode(), end + 1
