"""What FastAPI can do at best: endpoints that return the same bytes each time, and nothing else.

Run as `python -m bench.bare PORT FOLDER`: the folder has an `index.json` of address, file and media type.
"""

import json
import sys
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Response


def create_app(folder: Path) -> FastAPI:
    """An application with one endpoint for each file."""
    app = FastAPI()
    for path, file, media_type in json.loads((folder / "index.json").read_text()):
        app.get(path)(_endpoint((folder / file).read_bytes(), media_type))
    return app


def _endpoint(body: bytes, media_type: str) -> Any:
    async def answer() -> Response:
        return Response(body, media_type=media_type)

    return answer


if __name__ == "__main__":
    uvicorn.run(
        create_app(Path(sys.argv[2])),
        port=int(sys.argv[1]),
        log_level="warning",
        timeout_graceful_shutdown=2,
    )
