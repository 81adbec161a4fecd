import pyarrow as pa
import pytest

from greycard.class_codes import class_codes, encode, identity_codes

CLASSES = ("narrow", "wide")
TEXT = pa.array(["wide", None, "round", "narrow"])


@pytest.mark.parametrize(
    "column",
    [
        TEXT,
        TEXT.dictionary_encode(),
        pa.chunked_array([TEXT.slice(0, 3), TEXT.slice(3)]),
        pa.chunked_array([TEXT.slice(0, 3).dictionary_encode(), TEXT.slice(3).dictionary_encode()]),
        TEXT.cast(pa.large_string()),
    ],
    ids=["text", "dictionary", "chunks", "chunks of dictionaries", "large text"],
)
def test_codes_follow_the_class_set_however_a_column_is_stored(column):
    assert class_codes(column, CLASSES).tolist() == [1, -1, -1, 0]
    assert identity_codes(column).tolist() == [0, -1, 1, 2]


def test_columns_without_a_label_have_no_codes():
    for column in (pa.nulls(2), pa.array([None, None], pa.string())):
        assert class_codes(column, CLASSES).tolist() == identity_codes(column).tolist() == [-1, -1]
    assert (
        class_codes(pa.array([], pa.string()), CLASSES).shape
        == identity_codes(pa.chunked_array([], pa.string())).shape
        == (0,)
    )


def test_encoded_columns_keep_the_whole_class_set():
    encoded = encode(pa.chunked_array([["wide"], ["wide", None]]), CLASSES)
    assert encoded.dictionary.to_pylist() == list(CLASSES)
    assert encoded.indices.to_pylist() == [1, 1, None]
