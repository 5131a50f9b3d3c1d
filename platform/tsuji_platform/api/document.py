"""The OpenAPI document with answers as its examples that a hub once gave."""

from functools import cache
from importlib.resources import files
from typing import Any

import orjson
from fastapi import FastAPI


def show_examples(app: FastAPI) -> None:
    """Let an application's document, which it makes when somebody asks, show answers."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        is_made = app.openapi_schema is not None
        document = plain()
        if not is_made:
            for path, answers in examples().items():
                content = document["paths"][path]["get"]["responses"]["200"]["content"]
                for media, answer in answers.items():
                    content[media]["example"] = answer
        return document

    vars(app)["openapi"] = openapi  # as FastAPI's own guide has it


@cache
def examples() -> dict[str, dict[str, Any]]:
    """Answers of a small hub by path and media type, lists cut short."""
    text = (files(__package__) / "examples.json").read_bytes()
    found: dict[str, dict[str, Any]] = orjson.loads(text)
    return found
