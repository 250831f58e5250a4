"""What readers wrote is for the service's own user, whatever the folder allows."""

import os
import stat
import subprocess
import sys
from pathlib import Path


def test_files_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    """In a home that others may enter, and under the usual umask, no file of ours is open to them."""
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o755)
    environment = {**os.environ, "COLLOQUY_HOME": str(home), "DATABASE_URL": ""}
    command = [sys.executable, "-m", "service", "migrate"]
    subprocess.run(command, env=environment, umask=0o022, check=True, capture_output=True)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.rglob("*")}
    assert "colloquy.db" in modes
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}
