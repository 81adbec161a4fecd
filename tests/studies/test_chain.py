from greycard import config
from greycard.recipes.demo import demo_study
from greycard.studies.chain import below_root


def test_a_root_takes_every_relative_directory_of_a_study():
    job = below_root(config.override(demo_study(), ["root=/shared/x"]))
    flat = {key: value for key, value in config.flatten(job).items() if "runs/" in value}
    relative = {key: value for key, value in flat.items() if not value.startswith("/shared/x/runs/")}
    assert all(".weights" in key for key in relative), relative  # found below audit.models
    assert job.audit.models == "/shared/x"
    assert below_root(demo_study()) == demo_study()
