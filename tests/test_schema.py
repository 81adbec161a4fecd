import pytest

from greycard.schema import EYE_TYPE, PHENOTYPES, near


def test_codes_are_the_published_alphabetical_ones():
    assert PHENOTYPES["hair_color"].classes == ("black", "blonde", "brown", "gray", "red")
    assert PHENOTYPES["hair_type"].code("curly") == 1
    assert PHENOTYPES["skin_type"].code("type6") == 5
    assert list(PHENOTYPES) == ["skin_type", "lip_type", "nose_type", "eye_type", "hair_type", "hair_color"]


def test_an_unknown_label_names_the_attribute_and_near_matches():
    with pytest.raises(ValueError, match=r"eye_type label 'narow'; did you mean 'narrow'\? Accepted: narrow, normal"):
        EYE_TYPE.code("narow")


def test_near_ignores_case():
    assert near("AFRICAN", ["African", "Asian"])[0] == "African"
