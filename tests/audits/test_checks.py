"""Shards that are not those of their manifest, and images too small for a measure, are refused before work starts."""

from pathlib import Path

import pytest

from greycard.audits.checks import check_shards
from greycard.audits.restoration.configs import RestorationAudit, System
from greycard.audits.restoration.run import check_sizes, run
from greycard.audits.tables import AuditError
from greycard.codecs import RawConfig
from greycard.datasets.manifest import ManifestError
from greycard.metrics.full_reference.distortion import Mse, Ssim
from tests.streaming.doubles import write_tiles

RAW = (System(name="raw", codec=RawConfig()),)


@pytest.fixture
def manifest(tmp_path):
    return write_tiles(tmp_path / "shards", count=90)


def test_shards_as_written_pass(manifest):
    assert len(manifest.files("test")) > 1
    check_shards(manifest, "test")


def test_a_changed_byte_is_found_and_the_file_named(manifest, tmp_path):
    file = Path(manifest.files("test")[1])
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 1
    file.write_bytes(data)
    with pytest.raises(ManifestError, match=rf"{file.name} is not the file .*delete it and run"):
        run(RestorationAudit(shards=manifest.uri, directory=str(tmp_path / "audit"), systems=RAW, size=16))
    assert not (tmp_path / "audit").exists()


def test_a_file_that_is_gone_is_named(manifest):
    file = Path(manifest.files("test")[0])
    file.unlink()
    with pytest.raises(ManifestError, match=f"{file.name} is in the manifest, but not there"):
        check_shards(manifest, "test")


def test_images_too_small_for_a_measure_are_refused():
    small = RestorationAudit(systems=RAW, measures=(Mse(), Ssim()), size=8)
    with pytest.raises(AuditError, match=r"measure 'ssim' needs images of at least 11 x 11 .* 8: raise audit.size"):
        check_sizes(small)
    check_sizes(RestorationAudit(systems=RAW, measures=(Mse(), Ssim()), size=11))
