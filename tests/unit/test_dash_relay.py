import asyncio
import json

import pytest

from tsuji_dashboard.relay import WAITING_EVENTS, AreaState, Viewer, frame


def event(**body: object) -> bytes:
    return json.dumps(body).encode()


def areas(state: AreaState) -> dict[str, object]:
    known = json.loads(state.snapshot() or b"{}")
    return {area["code"]: area["figures"] for area in known["areas"]}


def test_changes_are_merged_so_that_newcomers_see_the_whole():
    state = AreaState()
    assert state.snapshot() is None
    state.take(
        "snapshot",
        event(
            area_set="m",
            time="2026-04-01T00:00:00Z",
            areas=[{"code": "a", "figures": {"x": 1}}, {"code": "b", "figures": {"x": 2}}],
            things=[{"id": "t", "state": "live"}],
        ),
    )
    state.take(
        "change",
        event(
            area_set="m",
            time="2026-04-01T00:00:01Z",
            areas=[{"code": "b", "figures": {}}, {"code": "c", "figures": {"x": 3}}],
            things=[{"id": "t", "state": "silent"}],
        ),
    )
    assert areas(state) == {"a": {"x": 1}, "c": {"x": 3}}
    known = json.loads(state.snapshot() or b"")
    assert known["things"] == [{"id": "t", "state": "silent"}]
    assert known["time"] == "2026-04-01T00:00:01Z"


def test_a_new_snapshot_forgets_what_was_before():
    state = AreaState()
    state.take("snapshot", event(areas=[{"code": "a", "figures": {"x": 1}}], things=[]))
    state.take("snapshot", event(areas=[], things=[]))
    assert areas(state) == {}


@pytest.mark.parametrize("data", [b"[]", b"nonsense", b'{"areas": [{}]}', b'{"things": 3}'])
def test_nonsense_from_upstream_is_an_error_that_the_relay_survives(data):
    with pytest.raises(ValueError, match=r"."):
        AreaState().take("change", data)


def test_frames_keep_line_breaks_inside_data():
    assert frame("change", b"a\nb") == b"event: change\ndata: a\ndata: b\n\n"


def test_a_viewer_that_reads_too_slowly_is_let_go():
    async def scenario() -> list[bytes]:
        viewer = Viewer()
        for i in range(WAITING_EVENTS + 10):
            viewer.give(str(i).encode())
        assert viewer.gone
        return [packet async for packet in viewer.frames()]

    assert asyncio.run(scenario()) == []
