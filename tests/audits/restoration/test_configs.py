"""What a restoration audit is told, without running one."""

import pytest

from greycard.audits.restoration.configs import RestorationAudit, System
from greycard.codecs import RawConfig
from greycard.config import ConfigError, override, to_dict


def test_what_was_said_of_an_audit_before_there_were_seeds_is_said_still():
    config = RestorationAudit(systems=(System(name="raw", codec=RawConfig()),))
    assert to_dict(config)["systems"] == [{"name": "raw", "codec": {"kind": "raw"}}]
    assert "seed" not in to_dict(config)
    assert override(config, ["seed=3"]).seed == to_dict(override(config, ["seed=3"]))["seed"] == 3


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("systems.0={name: a}", "system a must have one model"),
        ("systems.0.samples=2", "samples must be 1, or more of a model that draws, got 2"),
        ("systems.0.codec.kind=row", "did you mean 'raw'"),
    ],
)
def test_a_system_has_one_model_and_only_what_draws_has_samples(setting, message):
    config = RestorationAudit(systems=(System(name="raw", codec=RawConfig()),))
    with pytest.raises(ConfigError, match=message):
        override(config, [setting])
