"""The machine's apt sources are read in both of their forms, other vendors' are told apart."""

from pathlib import Path

import pytest

from tsuji_platform.runtime.sources import Mirror, parse_deb822, parse_one_line, read_mirrors

DEB822 = """\
# a comment
Types: deb deb-src
URIs: http://mirror.example/debian http://second.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: http://sources.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
 -----END PGP PUBLIC KEY BLOCK-----
"""


def test_deb822():
    first, second, security = parse_deb822(DEB822)
    assert first.uri == "http://mirror.example/debian"
    assert second.uri == "http://second.example/debian"
    assert first.suites == ("bookworm", "bookworm-updates")
    assert first.is_release
    assert not first.is_security
    assert security.is_security
    assert not security.is_release


def test_a_stanza_keeps_the_keys_and_takes_another_suite():
    first, _, security = parse_deb822(DEB822)
    assert first.stanza("trixie") == (
        "Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie\nComponents: main\n"
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    )
    again = next(parse_deb822(security.stanza("trixie-security")))
    assert again.signed_by == security.signed_by
    assert "abc" in again.signed_by


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("deb http://m.example/debian bookworm main",
         Mirror(uri="http://m.example/debian", suites=("bookworm",))),
        (
            "deb [arch=amd64 signed-by=/Keys/A.gpg] http://m.example/debian/ stable main contrib # x",
            Mirror(uri="http://m.example/debian/", suites=("stable",), signed_by="/Keys/A.gpg"),
        ),
        (
            "deb [trusted=yes] file:/srv/debian trixie main",
            Mirror(uri="file:/srv/debian", suites=("trixie",), trusted=True),
        ),
        ("# deb http://m.example/debian bookworm main", None),
        ("deb-src http://m.example/debian bookworm main", None),
        ("deb http://m.example/debian bookworm contrib", None),
        ("deb http://flat.example/ ./", None),
        ("", None),
    ],
)  # fmt: skip
def test_one_line(line, expected):
    assert list(parse_one_line(line)) == ([expected] if expected else [])


@pytest.mark.parametrize("suite", ["nodistro", "bookworm-pgdg", "noble", "cloud-sdk-bookworm"])
def test_other_vendors_are_no_mirrors_of_debian(suite):
    assert not Mirror(uri="http://vendor.example/", suites=(suite,)).is_release


def test_files_are_read_as_apt_reads_them(tmp_path: Path):
    (tmp_path / "sources.list").write_text("deb http://a.example/debian bookworm main\n")
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (parts / "b.sources").write_text(DEB822)
    (parts / "c.list.disabled").write_text("deb http://c.example/debian bookworm main\n")
    assert [mirror.uri for mirror in read_mirrors(tmp_path)] == [
        "http://a.example/debian",
        "http://mirror.example/debian",
        "http://second.example/debian",
        "http://security.example/debian-security",
    ]


def test_a_machine_without_apt_has_no_mirrors(tmp_path: Path):
    assert read_mirrors(tmp_path / "nothing") == []
