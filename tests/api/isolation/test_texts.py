"""SQL, formats and odd characters in every text that can be sent: kept to the letter or refused, and nothing else."""

from collections import Counter
from collections.abc import Iterator
from urllib.parse import quote

import pytest
import schemathesis
from api.fuzzing import AnyCase, World, placed
from api.isolation.conftest import Sides, without
from documented import document
from schemathesis import GenerationMode

HOSTILE = [
    "'; drop table jobs; --",
    "' or 1=1 --",
    "1) or tenant_id is not null --",
    "'; set role aico_owner; select set_config('aico.tenants', '<owner>', false); --",
    "$$; select pg_sleep(9); $$",
    "%s %(tenant)s %% {tenant} {0}",
    "\\x00 \\u0000 \\'; --",
    "\u2019 or \u02bc1\u02bc=\u02bc1",  # quotation marks that some alphabets turn into '
    "${jndi:x} {{7*7}} <script>",
    "\ufeff\u202e\u0000'--",
]
EXAMPLES = 2

schema = schemathesis.openapi.from_dict(document())
schema.config.generation.update(modes=[GenerationMode.POSITIVE], max_examples=EXAMPLES, deterministic=True)
schema.config.phases.coverage.enabled = False
TRIED: Counter[tuple[str, str]] = Counter()  # by operation and place

pytestmark = pytest.mark.usefixtures("untouched")


@schema.parametrize()
def test_no_text_reaches_further_than_its_field(case: AnyCase, sides: Sides) -> None:
    intruder = sides.intruder
    world = World(sides.address, intruder.tenant, intruder.known)
    world.steer(case)
    hostile = [text.replace("<owner>", str(sides.owner.tenant.id)) for text in HOSTILE]
    for text in hostile:
        for place in _places(case, text):
            if TRIED[case.operation.label, place] >= len(hostile):
                continue
            TRIED[case.operation.label, place] += 1
            response = case.call(**world.call)
            assert response.status_code < 500 or response.status_code == 503, (place, text, response.text)
            told = without(response.text, [str(sides.owner.tenant.id)])  # which was sent along, and may come back
            assert [mark for mark in sides.owner.marks if mark in told] == [], (place, text)
            assert "syntax error" not in response.text


def _places(case: AnyCase, text: str) -> Iterator[str]:
    """Puts the text in each place of the query, the body, the path and the head in turn."""
    yield from placed(case, lambda _: text)
    for part in ("path_parameters", "headers"):
        values = getattr(case, part)
        for name in list(values or ()):
            kept = values[name]
            values[name] = quote(text, safe="") if part == "path_parameters" else _header(text)
            yield f"{part}.{name}"
            values[name] = kept


def _header(text: str) -> str:
    return "".join(character for character in text if 32 <= ord(character) < 127).strip()


def test_each_operation_that_takes_anything_was_tried() -> None:
    taking = {
        f"{method.upper()} {path}"
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
        if operation.get("parameters") or "requestBody" in operation
    } - {"POST /webhooks/stripe"}  # which reads nothing before a signature over all of it
    assert taking <= {label for label, _ in TRIED}


def test_tables_are_all_there(sides: Sides) -> None:
    row = sides.admin.execute(
        "select count(*) from public.jobs where tenant_id = %s", (sides.owner.tenant.id,)
    ).fetchone()
    assert row is not None
    assert row[0] == len(sides.owner.api.get("/v1/jobs", params={"limit": 100}).json()["data"])


STORABLE = [text for text in HOSTILE if "\u0000" not in text]


@pytest.mark.parametrize("text", STORABLE)
def test_what_is_kept_is_kept_to_the_letter(sides: Sides, text: str) -> None:
    api = sides.intruder.api
    api.patch("/v1/tenant", json={"pii": "off"}).raise_for_status()  # whatever was tried with it before
    job = api.post(
        "/v1/jobs",
        json={"prompt": text, "cache": "off", "metadata": {"said": text}},
        headers={"Idempotency-Key": f"to the letter {_header(text)}"},
    ).raise_for_status()
    shown = api.get(f"/v1/jobs/{job.json()['id']}").json()
    assert shown["metadata"] == {"said": text}
    row = sides.admin.execute(
        "select request #>> '{messages,0,content}' from public.jobs where id = %s", (shown["id"],)
    ).fetchone()
    assert row == (text,)
    hook = api.post("/v1/webhooks", json={"url": "https://hooks.example.com/x", "description": text}).raise_for_status()
    assert api.get(f"/v1/webhooks/{hook.json()['id']}").json()["description"] == text
    api.delete(f"/v1/webhooks/{hook.json()['id']}").raise_for_status()
