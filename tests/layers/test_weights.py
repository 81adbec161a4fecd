import json

import pytest
import torch

from greycard.layers.weights import WeightsError, fingerprint, load_weights, save_weights

STATE = {"layer.weight": torch.arange(6.0).reshape(2, 3), "counts": torch.tensor([1, 2], dtype=torch.int32)}
DESCRIPTION = {"family": "toy", "channels": [2, 3]}


def test_round_trip(tmp_path):
    assert save_weights(tmp_path / "new" / "one", STATE, DESCRIPTION) == tmp_path / "new" / "one"
    loaded = load_weights(tmp_path / "new" / "one", {"family": "toy", "channels": (2, 3)})
    assert loaded.keys() == STATE.keys()
    assert all(torch.equal(loaded[name], STATE[name]) for name in STATE)
    model = json.loads((tmp_path / "new" / "one" / "model.json").read_text())
    assert model == {**DESCRIPTION, "fingerprint": fingerprint(STATE)}
    assert sorted(path.name for path in (tmp_path / "new" / "one").iterdir()) == ["model.json", "weights.pt"]


def test_fingerprint_sees_every_value_name_shape_and_dtype():
    one = fingerprint({"a": torch.zeros(4)})
    others = [
        {"b": torch.zeros(4)},
        {"a": torch.zeros(2, 2)},
        {"a": torch.zeros(4).int()},
        {"a": torch.tensor([0, 0, 0, 1e-30])},
    ]
    assert len({one, *map(fingerprint, others)}) == 5
    assert fingerprint({"a": torch.zeros(0), "b": torch.ones(1)}) == fingerprint(
        {"b": torch.ones(1), "a": torch.zeros(0)}
    )


@pytest.mark.parametrize("expected", [{"family": "other"}, {"channels": [2, 4]}, {"depth": 1}])
def test_another_architecture(tmp_path, expected):
    save_weights(tmp_path, STATE, DESCRIPTION)
    with pytest.raises(
        WeightsError, match=f"model.json: weights of another architecture: {next(iter(expected))} must be"
    ):
        load_weights(tmp_path, expected)


def test_missing_files(tmp_path):
    with pytest.raises(WeightsError, match=r"model\.json: not found"):
        load_weights(tmp_path, {})
    save_weights(tmp_path, STATE, DESCRIPTION)
    (tmp_path / "weights.pt").unlink()
    with pytest.raises(WeightsError, match=r"weights\.pt: not found"):
        load_weights(tmp_path, {})


@pytest.mark.parametrize("length", [0, 1, 100, -50, -1])
def test_truncated(tmp_path, length):
    save_weights(tmp_path, STATE, DESCRIPTION)
    path = tmp_path / "weights.pt"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(WeightsError, match=r"weights\.pt"):
        load_weights(tmp_path, DESCRIPTION)


def test_every_flipped_byte_is_noticed_or_harmless(tmp_path):
    save_weights(tmp_path, STATE, DESCRIPTION)
    path = tmp_path / "weights.pt"
    data = path.read_bytes()
    for place in range(0, len(data), 7):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :])
        try:
            loaded = load_weights(tmp_path, DESCRIPTION)
        except WeightsError:
            continue
        assert fingerprint(loaded) == fingerprint(STATE)


def test_files_of_two_networks_do_not_mix(tmp_path):
    save_weights(tmp_path / "a", STATE, DESCRIPTION)
    save_weights(tmp_path / "b", {**STATE, "counts": torch.tensor([3, 4])}, DESCRIPTION)
    (tmp_path / "b" / "weights.pt").replace(tmp_path / "a" / "weights.pt")
    with pytest.raises(WeightsError, match="not saved together"):
        load_weights(tmp_path / "a", DESCRIPTION)


@pytest.mark.parametrize("text", ["", "[1]", "{", "\xff"])
def test_damaged_description(tmp_path, text):
    save_weights(tmp_path, STATE, DESCRIPTION)
    (tmp_path / "model.json").write_text(text, encoding="latin-1")
    with pytest.raises(WeightsError, match=r"model\.json: expected a JSON object"):
        load_weights(tmp_path, {})


def test_not_tensors(tmp_path):
    save_weights(tmp_path, STATE, DESCRIPTION)
    torch.save([1, 2], tmp_path / "weights.pt")
    with pytest.raises(WeightsError, match="dictionary of tensors, got list"):
        load_weights(tmp_path, {})
