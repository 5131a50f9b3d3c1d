"""How commands end, the same for all of them (docs/commands.md)."""

DONE = 0
"""All of it; also where there was nothing to do."""
FAILED = 1
"""Not done, or stopped before the end; what to do is said."""
WRONG_USAGE = 2
"""An option, an argument or a setting that can't be used; nothing was begun."""
IN_PART = 3
"""Done, but not all of it: rows kept apart, nothing found, messages that reached nobody."""
READER_GONE = 141
"""Who read the output has gone, as programs end that are told so by a signal."""
