"""People at a running stack: added on the command line, signed in by the official client, let in by the API."""

from uuid import uuid4

import anyio
import httpx2
from dotenv import dotenv_values

from acceptance.conftest import Running
from acceptance.test_product import aico
from supabase import acreate_client

PASSWORD = "correct horse battery"


def test_somebody_added_on_the_command_line_signs_in_and_reads_jobs(product: Running) -> None:
    known = dotenv_values(product.state_dir / "stack.env")
    url, key = known["SUPABASE_URL"], known["SUPABASE_ANON_KEY"]
    assert url is not None
    assert key is not None
    assert url in (product.state_dir / "up.log").read_text()
    email = f"{uuid4().hex}@example.com"
    wanted = ("users", "create", email, "--tenant", "development", "--role", "owner", "--password-stdin")
    added = aico(product, *wanted, given=PASSWORD)
    assert added.returncode == 0, added.stderr

    async def access_token() -> str:
        client = await acreate_client(str(url), str(key))
        signed_in = await client.auth.sign_in_with_password({"email": email, "password": PASSWORD})
        await client.auth.close()
        assert signed_in.session is not None
        return signed_in.session.access_token

    token = anyio.run(access_token)
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx2.get(f"{product.url}/v1/jobs", headers=headers).status_code == 200
    stranger = {"Authorization": f"Bearer {token[:-8]}AAAAAAAA"}
    assert httpx2.get(f"{product.url}/v1/jobs", headers=stranger).status_code == 401


def test_whoever_starts_it_first_signs_in_as_the_owner_and_no_log_knows_the_password(product: Running) -> None:
    known = dotenv_values(product.state_dir / "stack.env")
    password = (product.state_dir / "owner.password").read_text()
    given = {"email": "owner@localhost", "password": password}
    token = f"{known['SUPABASE_URL']}/auth/v1/token?grant_type=password"
    signed_in = httpx2.post(token, json=given, headers={"apikey": str(known["SUPABASE_ANON_KEY"])}).raise_for_status()
    headers = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
    tenants = httpx2.get(f"{product.url}/v1/tenants", headers=headers).raise_for_status().json()["data"]
    assert [(tenant["name"], tenant["role"]) for tenant in tenants] == [("development", "owner")]
    logs = [product.state_dir / "up.log", *(product.state_dir / "logs").glob("*.log")]
    assert len(logs) > 1
    assert not any(password in log.read_text(errors="replace") for log in logs)


def test_no_child_but_the_accounts_own_server_can_open_them(product: Running) -> None:
    secret = dotenv_values(product.state_dir / "stack.env")["SUPABASE_SERVICE_KEY"]
    password = (product.state_dir / "auth" / "database.password").read_text()
    assert secret
    environment = product.part("api").environ()
    assert environment["SUPABASE_URL"] == dotenv_values(product.state_dir / "stack.env")["SUPABASE_URL"]
    assert not any(secret in value or password in value for value in environment.values())
    assert password in product.part("auth").environ()["DATABASE_URL"]
    application = (product.state_dir / "application.password").read_text()
    assert not any(application in value for value in product.part("auth").environ().values())
