"""`aico tenants`: what is done with them, and what they keep and may."""

from aico.cli import data_rights, policy, tenancy

app = tenancy.tenants_app
app.command()(policy.policy)
app.command("retention")(data_rights.keep)
app.command()(data_rights.export)
app.command()(data_rights.erase)
