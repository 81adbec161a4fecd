import errno
import os

import pytest

from greycard.datasets.storage import Folder


def test_a_full_disk_is_said_with_its_folder_and_leaves_no_piece(tmp_path, monkeypatch):
    folder = Folder.open(tmp_path)
    folder.write("kept", b"whole")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=rf"no space left on the disk of {tmp_path}.* start the same command") as error:
        folder.write("lost", b"half")
    assert error.value.errno == errno.ENOSPC
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
