"""Another tenant's ids, wherever an id can be sent: they mean as little as ids of nothing, to the letter.

Routes, parameters and bodies come from the OpenAPI document, so that a new route is tried as soon as it is there.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import schemathesis
from api.fuzzing import AnyCase
from api.isolation.conftest import Side, Sides, absent, without
from documented import document
from schemathesis import GenerationMode

EXAMPLES = 3
OF_ALL = {"model_id", "provider"}  # parameters that name nothing of a tenant's

schema = schemathesis.openapi.from_dict(document())
schema.config.generation.update(modes=[GenerationMode.POSITIVE], max_examples=EXAMPLES, deterministic=True)
schema.config.phases.coverage.enabled = False
with_ids = schema.include(lambda context: set(parameters(context.operation.path)) - OF_ALL != set())
MISSED: Counter[str] = Counter()  # by operation: how often it was not found

pytestmark = pytest.mark.usefixtures("untouched")


def parameters(path: str) -> list[str]:
    return re.findall(r"{(\w+)}", path)


def mixed(names: list[str], owner: Side, intruder: Side) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """Path parameters, at least one the owner's and the rest the intruder's, each with its like of nothing."""
    for whose in itertools.product((True, False), repeat=len(names)):
        if any(whose):
            for ids in itertools.product(
                *((owner if theirs else intruder).known[name] for name, theirs in zip(names, whose, strict=True))
            ):
                taken = dict(zip(names, ids, strict=True))
                yield (
                    taken,
                    {
                        name: absent(taken[name]) if theirs else taken[name]
                        for name, theirs in zip(names, whose, strict=True)
                    },
                )


@with_ids.parametrize()
def test_an_id_of_another_tenant_is_an_id_of_nothing(case: AnyCase, sides: Sides) -> None:
    names = parameters(case.operation.path)
    unknown = set(names) - set(sides.owner.known)
    assert not unknown, f"`populated` in api/fuzzing.py makes nothing for {unknown}"
    call: dict[str, Any] = {
        "base_url": sides.address,
        "headers": {"Authorization": f"Bearer {sides.intruder.tenant.key}"},
        "timeout": 20,
        "allow_redirects": False,
    }
    for taken, nothing in mixed(names, sides.owner, sides.intruder):
        case.path_parameters.update(taken)
        met = case.call(**call)
        case.path_parameters.update(nothing)
        missed = case.call(**call)
        ids = [*taken.values(), *nothing.values()]
        assert 400 <= met.status_code < 500, met.text
        assert (met.status_code, without(met.text, ids)) == (missed.status_code, without(missed.text, ids))
        assert met.headers.keys() == missed.headers.keys()
        MISSED[case.operation.label] += met.status_code == 404


def test_each_of_those_routes_was_reached_and_found_nothing() -> None:
    """That a request was refused for another reason proves nothing."""
    tried = {
        f"{method.upper()} {path}"
        for path, methods in document()["paths"].items()
        for method in methods
        if set(parameters(path)) - OF_ALL
    }
    assert set(+MISSED) == tried


LISTS = [
    path
    for path, methods in document()["paths"].items()
    if any(parameter["name"] == "after" for parameter in methods.get("get", {}).get("parameters", ()))
]


@pytest.mark.parametrize("path", LISTS)
def test_a_list_goes_on_after_anothers_id_as_after_one_of_nothing(path: str, sides: Sides) -> None:
    intruder = sides.intruder
    for ids in itertools.product(*(intruder.known[name] for name in parameters(path))):
        filled = path.format(**dict(zip(parameters(path), ids, strict=True)))
        for one in sides.owner.ids:
            with_theirs, with_none = (
                intruder.api.get(filled, params={"after": after, "limit": 100}) for after in (one, absent(one))
            )
            hidden = [one, absent(one)]
            assert with_theirs.status_code == with_none.status_code
            assert without(with_theirs.text, hidden) == without(with_none.text, hidden)
            said = with_theirs.text.replace(one, "")
            assert [mark for mark in sides.owner.marks if mark in said] == []


CHAT = [{"role": "user", "content": "hello"}]
# Fields of bodies that name something of a tenant's: the request, and the kind of id.
REFERENCES: dict[tuple[str, str], tuple[dict[str, Any], str]] = {
    ("/v1/responses", "previous_response_id"): ({"model": "auto", "input": "go on"}, "response_id"),
    ("/v1/responses/input_tokens", "previous_response_id"): ({"model": "auto", "input": "go on"}, "response_id"),
    ("/v1/batches", "input_file_id"): (
        {"endpoint": "/v1/chat/completions", "completion_window": "24h"},
        "file_id",
    ),
    ("/v1/feedback", "job_id"): ({"thumb": "up"}, "job_id"),
    ("/v1/dead-letters/replay", "ids"): ({}, "job_id"),
    ("/v1/cache/explain", "namespace"): ({"asked": "hello", "kept": "Hello"}, "namespace"),
}
# Fields that end like one and name nothing that is stored: parts of the conversation that is sent along.
# And the jobs of an erasure, which looks at its own tenant's alone: tests/workers/test_erasures.py.
NO_REFERENCES = {"tool_call_id", "call_id", "id", "job_ids"}


def fields_of(value: Any, seen: tuple[str, ...] = ()) -> Iterator[str]:
    """The names of all fields in a JSON schema, at any depth."""
    if isinstance(value, dict):
        if (name := str(value.get("$ref", "")).rpartition("/")[2]) and name not in seen:
            yield from fields_of(document()["components"]["schemas"][name], (*seen, name))
        for key, inner in value.items():
            if key == "properties":
                yield from inner
            yield from fields_of(inner, seen)
    elif isinstance(value, list):
        for inner in value:
            yield from fields_of(inner, seen)


def test_every_field_that_names_something_is_tried() -> None:
    named = {
        (path, field)
        for path, methods in document()["paths"].items()
        for operation in methods.values()
        for field in fields_of(operation.get("requestBody", {}))
        if re.search(r"((^|_)ids?|^namespace)$", field) and field not in NO_REFERENCES
    }
    assert named == set(REFERENCES)


@pytest.mark.parametrize(("path", "field"), REFERENCES)
def test_a_body_that_names_anothers_is_refused_as_one_that_names_nothing(path: str, field: str, sides: Sides) -> None:
    body, kind = REFERENCES[path, field]
    for one in sides.owner.known[kind]:
        with_theirs, with_none = (
            sides.intruder.api.post(path, json={**body, field: [name] if field == "ids" else name})
            for name in (one, absent(one))
        )
        assert with_theirs.status_code == with_none.status_code
        assert without(with_theirs.text, [one]) == without(with_none.text, [absent(one)])
        assert with_theirs.status_code in {400, 404} or _did_nothing(with_theirs), with_theirs.text


def _did_nothing(response: httpx2.Response) -> bool:
    """A replay of many tells what became of each."""
    body = response.json()
    return response.status_code == 202 and not body.get("replayed")


def test_a_whole_list_holds_nothing_of_another_tenants(sides: Sides) -> None:
    for path, methods in document()["paths"].items():
        if "get" in methods and not parameters(path):
            said = sides.intruder.api.get(path, params={"limit": 100}).text
            assert [mark for mark in sides.owner.marks if mark in said] == [], path
