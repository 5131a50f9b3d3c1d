"""Shows what strangers sent, so that it can be read but can't drive the terminal."""


def printable(text: str) -> str:
    """The text with everything escaped that is not simply a visible character or a space."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape", "surrogatepass").decode()
        for one in text
    )


def in_a_line(error: Exception) -> str:
    """What an error says, without line breaks of libraries' or of names that strangers chose."""
    return printable(" ".join(line.strip() for line in str(error).splitlines() if line.strip()))


def dump(payload: bytes) -> list[str]:
    """Lines that show a payload: as escaped text where it is text, otherwise in hex."""
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        # a character that the limit has cut in two doesn't make it binary
        if error.reason != "unexpected end of data" or error.end != len(payload):
            return _hex(payload)
        text = payload[: error.start].decode()
    strange = sum(not one.isprintable() and one not in "\t\r\n" for one in text)
    if strange * 10 > len(text):
        return _hex(payload)
    return [printable(line) for line in text.split("\n")]


def _hex(payload: bytes) -> list[str]:
    lines = []
    for start in range(0, len(payload), 16):
        part = payload[start : start + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:06x}  {part.hex(' '):<47}  {text}")
    return lines
