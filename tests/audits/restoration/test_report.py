import pytest

from greycard.audits.restoration.report import ReportConfig, choose_attribute
from greycard.datasets.faces import FacesConfig
from greycard.datasets.manifest import ManifestError
from greycard.datasets.photos import PhotosConfig
from greycard.datasets.shards import write_shards
from greycard.datasets.splits import SplitConfig
from greycard.metrics.restoration.findings import FindingsConfig

ALL = SplitConfig(train=0, val=0, test=1)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    source = PhotosConfig(names=("cat", "coffee"), limit=2)
    return write_shards(source, tmp_path_factory.mktemp("photos"), split=ALL, progress=False)


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    source = FacesConfig(count=4, size=16, images_per_identity=1)
    return write_shards(source, tmp_path_factory.mktemp("faces"), split=ALL, progress=False)


def test_faces_are_compared_by_race_with_the_papers_grouping(faces):
    config = choose_attribute(ReportConfig(), faces)
    assert config.attribute == "race"
    assert config.findings == FindingsConfig()


def test_other_data_is_compared_by_its_own_attribute(photographs):
    config = choose_attribute(ReportConfig(), photographs)
    assert config.attribute == "photograph"
    assert config.findings.attributes == ("photograph",)
    assert not config.findings.rules


def test_a_chosen_attribute_and_a_crossed_one_are_taken(faces):
    assert choose_attribute(ReportConfig(attribute="skin_type"), faces).findings.attributes == ("skin_type",)
    crossed = ReportConfig(findings=FindingsConfig(attributes=("race x lip_type", "race")))
    assert choose_attribute(crossed, faces).attribute == "race x lip_type"


def test_a_misspelt_attribute_is_named_with_near_matches(faces, photographs):
    with pytest.raises(ManifestError, match=r"'rase'.*'race'"):
        choose_attribute(ReportConfig(attribute="rase"), faces)
    with pytest.raises(ManifestError, match=r"'photo'.*'photograph'"):
        choose_attribute(ReportConfig(findings=FindingsConfig(attributes=("photo",))), photographs)
