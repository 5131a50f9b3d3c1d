"""Headers that are put on answers, as bytes."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tsuji_platform.raw_headers import Header, is_given, put, put_missing, raw

_names = st.sampled_from([b"vary", b"etag", b"allow", b"link"])
_headers = st.lists(st.tuples(_names, st.binary(max_size=3)))


@given(_headers, _headers)
def test_what_is_put_stands_once_and_takes_the_place_of_all_of_its_name(
    own: list[Header], new: list[Header]
) -> None:
    start = {"type": "http.response.start", "status": 200, "headers": tuple(own)}
    put(start, new)
    names = dict(new)
    assert Counter(start["headers"]) == Counter(
        [one for one in own if one[0] not in names] + list(names.items())
    )


@given(_headers, _headers.map(lambda them: tuple(dict(them).items())))
def test_what_is_missing_is_added_and_the_rest_stays(
    own: list[Header], new: tuple[Header, ...]
) -> None:
    start = {"type": "http.response.start", "status": 200, "headers": tuple(own)}
    put_missing(start, new)
    assert start["headers"][: len(own)] == own
    assert set(start["headers"][len(own) :]) == {
        one for one in new if one[0] not in {name for name, _ in own}
    }


def test_an_answer_without_headers_gets_them() -> None:
    for way in (put, put_missing):
        start = {"type": "http.response.start", "status": 204}
        way(start, raw({"X-Content-Type-Options": "nosniff"}))
        assert start["headers"] == [(b"x-content-type-options", b"nosniff")]


def test_a_request_is_asked_for_names_of_headers() -> None:
    scope = {"headers": [(b"host", b"a"), (b"origin", b"")]}
    assert is_given(scope, b"cookie", b"origin")
    assert not is_given(scope, b"cookie")
    assert not is_given({"headers": []}, b"host")
