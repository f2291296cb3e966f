"""The few pages that the server has without the console: the API described, and its first set-up. All of it is here."""

from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request
from jinja2 import Environment, PackageLoader
from starlette.responses import HTMLResponse, Response

router = APIRouter(include_in_schema=False)


@router.get("/docs", response_class=HTMLResponse)
def describe(request: Request) -> str:
    """Every operation, from the description that programs read."""
    return _pages().get_template("api.html").render(api=request.app.openapi())


@router.get("/setup", response_class=HTMLResponse)
def set_up() -> str:
    """The form behind the set-up link, whose token stands behind the # and so in no log."""
    return _pages().get_template("setup.html").render()


@router.get("/setup.js")
def set_up_script() -> Response:
    """What the form does."""
    return Response(_text("setup.js"), media_type="text/javascript")


@router.get("/setup.css")
def style() -> Response:
    """How the pages look."""
    return Response(_text("setup.css"), media_type="text/css")


@cache
def _pages() -> Environment:
    return Environment(loader=PackageLoader("sightline.service", "page"), autoescape=True, trim_blocks=True)


@cache
def _text(name: str) -> str:
    return files("sightline.service").joinpath("page", name).read_text("utf-8")
