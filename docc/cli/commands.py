"""One row per command: its name, its module, its group. The table is what `docc --help` lists, in this order."""

from __future__ import annotations

import typer

from docc.cli import demo, deploy, list_, rbac, render, rollback, sandbox, status, validate, version


def register(app: typer.Typer) -> None:
    app.command("validate")(validate.validate)
    app.command("render")(render.render)
    app.command("deploy")(deploy.deploy)
    app.command("status")(status.status)
    app.command("rollback")(rollback.rollback)
    app.command("list")(list_.list_apps)
    app.command("rbac")(rbac.rbac)
    app.command("version")(version.version)
    app.command("demo")(demo.demo)
    app.add_typer(sandbox.app, name="sandbox")
