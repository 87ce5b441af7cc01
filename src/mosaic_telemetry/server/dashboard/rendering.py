"""Templates, and the headers of pages."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from mosaic_telemetry import figures
from mosaic_telemetry._version import __version__

__all__ = ["HEADERS", "page"]

# No inline script or style, nothing from elsewhere: what a page shows cannot make it do anything.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with none at all, a form's own site could not be told from another
    "Cache-Control": "no-store",
}
PAGES = (("/", "Overview"), ("/models", "Models"), ("/predict", "Predict"), ("/accuracy", "Accuracy"), ("/activity", "Activity"), ("/instances", "Instances"))


@cache
def _templates() -> Environment:
    found = Environment(
        loader=PackageLoader("mosaic_telemetry.server.dashboard"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    found.filters |= {"cost": figures.cost, "count": figures.count, "duration": figures.duration, "share": figures.share, "words": _words}
    found.globals |= {"version": __version__, "pages": PAGES}
    return found


def _words(name: str) -> str:
    """A name of the contract as words: code_review as code review."""
    return name.replace("_", " ")


def page(request: Request, template: str, values: Mapping[str, Any], status: int = 200) -> Response:
    """A template as an answer; only its part named `content` where htmx asks for a part of the page."""
    found = _templates().get_template(template)
    context = {**values, "here": request.url.path}
    if request.headers.get("hx-request") == "true" and "hx-history-restore-request" not in request.headers:
        text = "".join(found.blocks["content"](found.new_context(context)))
    else:
        text = found.render(context)
    return Response(text, status, media_type="text/html", headers=HEADERS | {"Vary": "HX-Request"})
