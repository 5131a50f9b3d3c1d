"""The page on which people try the API: its scripts come from the hub, and it asks no other host."""

from importlib.resources import files

from fastapi import APIRouter, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.staticfiles import StaticFiles

from tsuji_platform.guarded import page_policy

router = APIRouter()
SCRIPTS = "/static-offline-docs"


def scripts() -> StaticFiles:
    """Swagger UI's files, as a package holds them."""
    return StaticFiles(directory=str(files("fastapi_offline") / "static"))


@router.get("/docs", include_in_schema=False)
def documentation(request: Request) -> Response:
    """Swagger UI over the OpenAPI document."""
    root = request.scope.get("root_path", "")
    page = get_swagger_ui_html(
        openapi_url=f"{root}/openapi.json",
        title="Tsuji data API",
        swagger_js_url=f"{root}{SCRIPTS}/swagger-ui-bundle.js",
        swagger_css_url=f"{root}{SCRIPTS}/swagger-ui.css",
        swagger_favicon_url=f"{root}{SCRIPTS}/favicon.png",
        swagger_ui_parameters={"validatorUrl": "none"},  # it would show another host's badge
    )
    page.headers["Content-Security-Policy"] = page_policy(bytes(page.body).decode())
    return page
