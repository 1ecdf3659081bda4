"""The official JavaScript client against the stand-in, unchanged: one script, in a process of its own."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from conftest import unavailable
from embedded.auth.conftest import OTHER_PASSWORD, PASSWORD, Project, ServeAuth

SCRIPT = Path(__file__).with_name("client.mjs")
MODULES = Path(__file__).parents[3] / ".venv" / "third-party" / "node"


def test_the_whole_life_of_an_account(project: Project, open_project: Project, serve_auth: ServeAuth) -> None:
    node = shutil.which("node")
    if node is None or not (MODULES / "node_modules" / "@supabase" / "supabase-js").is_dir():
        unavailable("@supabase/supabase-js is not installed: it takes node, npm and `make test`")
    with serve_auth(reuse_grace_seconds=0) as strict:
        environment = {
            "PATH": os.environ["PATH"],
            "MODULES": f"{MODULES}/",
            "URL": project.url,
            "OPEN_URL": open_project.url,
            "STRICT_URL": strict.url,
            "PUBLISHABLE": project.publishable,
            "SECRET": project.secret,
            "PASSWORD": PASSWORD,
            "OTHER_PASSWORD": OTHER_PASSWORD,
        }
        argv = [str(node), str(SCRIPT)]
        run = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment, timeout=60)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {
        "created": True,
        "duplicate": "email_exists",
        "listed": True,
        "found": True,
        "publicAdmin": "not_admin",
        "signUpOff": "signup_disabled",
        "signUpOn": True,
        "wrongPassword": "invalid_credentials",
        "user": True,
        "claims": ["ES256", True],
        "rotated": True,
        "grace": True,
        "updated": {"colour": "red"},
        "signedOut": None,
        "afterSignOut": "AuthSessionMissingError",
        "newPassword": None,
        "reused": "refresh_token_already_used",
        "family": "refresh_token_not_found",
        "banned": True,
        "deleted": "user_not_found",
    }
