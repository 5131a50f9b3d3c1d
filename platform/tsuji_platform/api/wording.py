"""What is wrong with a parameter, in the words of the other refusals instead of the library's."""

from collections.abc import Mapping
from typing import Any

_WHOLE, _NUMBER = "must be a whole number", "must be a number"
_WORDS = {
    "missing": "is missing",
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE + " of a few digits",
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "float_parsing": _NUMBER,
    "float_type": _NUMBER,
    "finite_number": "must be a finite number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be a list",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "string_too_long": "must not have more than {max_length} characters",
    "string_too_short": "must have {min_length} characters or more",
    "too_long": "must not be given more than {max_length} times",
    "too_short": "must be given {min_length} times or more",
    "string_pattern_mismatch": "must be of the form {pattern}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
}


def worded(error: Mapping[str, Any]) -> str:
    """One of pydantic's errors as the end of a sentence, without the value."""
    words = _WORDS.get(error["type"])
    if words is not None:
        return words.format_map(error.get("ctx") or {})
    text = str(error["msg"]).removeprefix("Value error, ")
    return text.replace("Input should be", "must be").replace("String should", "must")
