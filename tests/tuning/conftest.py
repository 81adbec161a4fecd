import os
import pwd
import shutil
import socket
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def postgres(tmp_path_factory):
    """URL of an empty database of a PostgreSQL server of this test's own; skips where none is installed."""
    found = shutil.which("initdb") or next(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), None)
    if found is None:
        pytest.skip("PostgreSQL is not installed")
    programs, home = Path(found).resolve().parent, tmp_path_factory.mktemp("postgres")
    owner = {}
    if os.geteuid() == 0:  # the server refuses root
        user = pwd.getpwnam("postgres")
        owner = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        os.chown(home, user.pw_uid, user.pw_gid)
        for folder in home.parents:
            if folder.owner() == "root" and folder.stat().st_mode & 0o005 != 0o005:
                folder.chmod(folder.stat().st_mode | 0o011)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def run(program, *arguments):
        command = [str(programs / program), *arguments]
        subprocess.run(command, check=True, cwd=home, stdout=subprocess.DEVNULL, **owner)

    run("initdb", "-D", str(home / "data"), "-U", "greycard", "--auth=trust", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    run("pg_ctl", "-D", str(home / "data"), "-o", options, "-l", str(home / "log"), "-w", "start")
    yield f"postgresql://greycard@127.0.0.1:{port}/postgres"
    run("pg_ctl", "-D", str(home / "data"), "-m", "fast", "-w", "stop")
