"""The OpenAPI document at /schema: what we refuse is in it too, and nothing is loaded from elsewhere."""

from __future__ import annotations

from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin


def openapi_config() -> OpenAPIConfig:
    """Answer the configuration of the OpenAPI document."""
    return OpenAPIConfig(
        title="Colloquy",
        version="1",
        description="Comments on articles: submitted, scored, published, held for a person, or rejected.",
        path="/schema",
        render_plugins=[JsonRenderPlugin(path=["/", "/openapi.json"])],
        use_handler_docstrings=True,
    )
