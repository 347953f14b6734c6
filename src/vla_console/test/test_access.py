# SPDX-License-Identifier: Apache-2.0
"""Who may connect, and as what; where the console may listen."""

import pytest
from vla_console.access import Access, Role
from vla_console.settings import ConsoleSettings
from vla_core.settings import SettingsError

OPERATE, VIEW = "o" * 20, "v" * 20


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "tokens"
    path.write_text(f"# of the cell\noperate {OPERATE}\nview {VIEW}\n")
    return str(path)


def test_roles_by_token(token_file):
    access = Access.read(token_file, (), is_local=False)
    assert access.role(OPERATE) is Role.OPERATE
    assert access.role(VIEW) is Role.VIEW
    for wrong in ("", OPERATE[:-1], f"{OPERATE}o", "ö" * 20):
        assert access.role(wrong) is None
    assert Access().role("") is Role.OPERATE


@pytest.mark.parametrize("text", ["", "operate short\n", f"admin {OPERATE}\n", f"{OPERATE}\n"])
def test_a_token_file_that_says_nothing_valid_is_refused_with_what_is(text, tmp_path):
    (tmp_path / "tokens").write_text(text)
    with pytest.raises(SettingsError, match="valid is a line 'operate TOKEN'"):
        Access.read(str(tmp_path / "tokens"), (), is_local=True)


@pytest.mark.parametrize(
    ("host", "origin", "passes"),
    [
        ("127.0.0.1:8600", "http://127.0.0.1:8600", True),
        ("localhost:9000", "http://localhost:9000", True),  # a tunnel
        ("[::1]:8600", "http://[::1]:8600", True),
        ("127.0.0.1:8600", None, True),  # no browser
        ("127.0.0.1:8600", "http://127.0.0.1:8000", False),  # another server of this machine
        ("127.0.0.1:8600", "https://evil.example", False),
        ("127.0.0.1:8600", "null", False),  # a file, a sandboxed frame
        ("127.0.0.1:8600", "", False),
        ("evil.example:8600", "http://evil.example:8600", False),  # DNS rebinding
        ("", "http://", False),
        ("127.0.0.1:8600", "https://cell.example:1", True),  # named in the settings
    ],
)
def test_pages_of_other_sites_are_refused(host, origin, passes):
    access = Access(origins=("https://cell.example:1",))
    assert (access.refusal(host, origin) == "") is passes


def test_only_this_machine_is_served_without_a_token_and_tls(token_file):
    for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost"):
        assert ConsoleSettings(host=host).is_local
    for given in ({}, {"token_file": token_file}, {"tls_cert": "a", "tls_key": "b"}):
        with pytest.raises(SettingsError, match=r"which others reach.*valid: 127.0.0.1, or token_file with tls_cert"):
            ConsoleSettings(host="0.0.0.0", **given)
    assert not ConsoleSettings(host="0.0.0.0", token_file=token_file, tls_cert="a", tls_key="b").is_local
    assert not ConsoleSettings(host="robot.example", insecure=True).is_local
    with pytest.raises(SettingsError, match="belong together"):
        ConsoleSettings(tls_cert="a")
