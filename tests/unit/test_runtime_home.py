"""Data lives apart per project folder, in folders that the servers' user can reach."""

import os
import stat
from pathlib import Path

import pytest

from tsuji_platform.runtime import home
from tsuji_platform.runtime.account import Account, own_account, service_account
from tsuji_platform.runtime.basics import SetupError
from tsuji_platform.runtime.home import Instance, InstanceBusyError, instance_name
from tsuji_platform.runtime.private import private_folder


@pytest.fixture
def own(tmp_path: Path) -> Instance:
    return Instance(home=tmp_path / "home", account=own_account())


def test_two_clones_side_by_side_have_their_own_instances(tmp_path):
    names = {instance_name(tmp_path / parent / "tsuji") for parent in ("a", "b")}
    assert len(names) == 2
    assert all(name.startswith("tsuji-") for name in names)


def test_an_instance_keeps_its_name_however_its_folder_is_reached(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert instance_name(tmp_path / "link") == instance_name(tmp_path / "real")


@pytest.mark.parametrize("folder", ["a b/c d", "都市", "x" * 200, "/"])
def test_names_are_safe_in_paths(folder):
    name = instance_name(Path(folder))
    assert name.isascii()
    assert "/" not in name
    assert len(name) < 60


def test_the_setting_decides(tmp_path):
    assert Instance.locate(str(tmp_path)).home == tmp_path


def test_without_the_setting_the_users_data_folder_holds_the_instance(tmp_path, monkeypatch):
    with private_folder() as folder:
        monkeypatch.setenv("XDG_DATA_HOME", str(folder))
        located = Instance.locate(project=tmp_path)
    assert located.home == folder / "tsuji" / "instances" / instance_name(tmp_path)
    assert home.programs_folder() == folder / "tsuji" / "programs"


def test_root_leaves_a_data_folder_that_its_servers_cannot_reach(tmp_path, monkeypatch):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_DATA_HOME", str(closed))
    expected = home.ROOT_DATA if os.geteuid() == 0 else closed / "tsuji"
    assert home.data_folder() == expected


def test_folders_are_made_for_their_users_only(own):
    own.create()
    for folder in (own.home, own.database_folder, own.broker_folder, own.socket_folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_was_there_keeps_its_permissions(own):
    own.home.mkdir()
    own.home.chmod(0o755)
    own.create()
    assert stat.S_IMODE(own.home.stat().st_mode) == 0o755


def test_what_is_made_is_passable_under_a_strict_umask(tmp_path):
    other = Account(uid=own_account().uid + 12_345, gid=12_345, name="other")
    before = os.umask(0o077)
    try:
        other.make_way(tmp_path / "a" / "b", 0o711)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o711


def test_a_home_that_the_servers_cannot_reach_is_refused_with_advice(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    other = Account(uid=own_account().uid + 12_345, gid=12_345, name="other")
    assert other.barrier(closed / "home") is not None
    with pytest.raises(SetupError, match="chmod o\\+x"):
        Instance(home=closed / "home", account=other).create()


def test_a_home_that_cannot_be_made_is_refused_with_advice(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match="TSUJI_HOME"):
        Instance(home=tmp_path / "file" / "home", account=own_account()).create()


def test_sockets_of_deep_homes_go_to_a_short_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    deep = Instance(home=tmp_path / ("深" * 40), account=own_account())
    deep.home.parent.mkdir(parents=True, exist_ok=True)
    deep.create()
    try:
        assert len(os.fsencode(deep.socket_folder / ".s.PGSQL.5432")) <= 107
        assert stat.S_IMODE(deep.socket_folder.stat().st_mode) == 0o700
        assert (
            deep.socket_folder
            != Instance(home=deep.home / "x", account=own_account()).socket_folder
        )
    finally:
        deep.socket_folder.rmdir()


def test_a_link_in_place_of_the_socket_folder_is_refused(tmp_path, own):
    own.home.mkdir()
    (tmp_path / "elsewhere").mkdir()
    own.socket_folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SetupError, match="somebody else made it"):
        own.create()


def test_only_one_may_hold_an_instance(own):
    own.create()
    assert own.holder() is None
    with own.lock():
        assert own.holder() == os.getpid()
        with pytest.raises(InstanceBusyError, match=f"process {os.getpid()}"), own.lock():
            pass
    assert own.holder() is None
    with own.lock():
        pass


def test_root_lends_the_servers_an_ordinary_user():
    account = service_account()
    assert account.uid != 0
    assert account.is_other == (os.geteuid() == 0)
