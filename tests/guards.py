"""What every answer to a browser has to carry."""

from collections.abc import Mapping

NAMES = (
    "Content-Security-Policy",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
    "Permissions-Policy",
    "Referrer-Policy",
    "X-Content-Type-Options",
)


def faults(headers: Mapping[str, str]) -> list[str]:
    """What the headers of an answer lack, or let through that they should not."""
    wrong = [f"no {name}" for name in NAMES if name not in headers]
    policy = headers.get("Content-Security-Policy", "")
    rules = dict(one.strip().partition(" ")[::2] for one in policy.split(";"))
    if rules.get("default-src") not in ("'self'", "'none'"):
        wrong.append(f"default-src {rules.get('default-src')}")
    if "frame-ancestors" not in rules:
        wrong.append("anybody may frame it")
    scripts = rules.get("script-src", rules.get("default-src", ""))
    wrong += [f"scripts: {one}" for one in ("'unsafe-inline'", "'unsafe-eval'") if one in scripts]
    wrong += [
        f"{name} {rule}"
        for name, rule in rules.items()
        if name != "img-src" and ("http" in rule or ("*" in rule and name != "frame-ancestors"))
    ]
    if headers.get("X-Content-Type-Options") != "nosniff":
        wrong.append("types may be guessed")
    return wrong
