"""The console: the pages of `yard monitor show --html`, answered by the control API as monitors stand now."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.responses import HTMLResponse

from modelyard.api.context import Context
from modelyard.api.looking import monitor_show
from modelyard.ui.watch import render


def pages(app: FastAPI, context: Context) -> None:
    """Add `/`, all monitors, and `/monitors/NAME`, one of them."""

    def every() -> HTMLResponse:
        return HTMLResponse(render(monitor_show(context), title=context.project(variables=False).spec.project))

    def one(name: str) -> HTMLResponse:
        return HTMLResponse(render(monitor_show(context, name=name), title=name))

    app.get("/", response_class=HTMLResponse, include_in_schema=False)(every)
    app.get("/monitors/{name}", response_class=HTMLResponse, include_in_schema=False)(one)
