"""Settings: what the environment may hold, and the message when it holds something else."""

import pytest

from errors import SettingsError
from settings import Rendition, Settings

ENVIRONMENT = {
    "SOURCE_BUCKET": "src-bucket-image-in",
    "DESTINATION_BUCKET": "dest-bucket-image-out",
    "FAILURE_QUEUE_URL": "https://sqs.eu-west-2.amazonaws.com/123456789012/Lambda-image-failures",
    "RENDITIONS": '{"resized": {"scale": 0.5}}',
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
}


def test_the_environment_that_terraform_sets() -> None:
    settings = Settings.from_environment(ENVIRONMENT)
    assert settings.source_bucket == "src-bucket-image-in"
    assert settings.destination_bucket == "dest-bucket-image-out"
    assert settings.failure_queue_url.endswith("Lambda-image-failures")
    assert settings.renditions == (Rendition("resized", 0.5),)
    assert settings.memory_bytes == 1769 * 1024 * 1024


@pytest.mark.parametrize("name", sorted(ENVIRONMENT))
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} is not set"):
        Settings.from_environment({other: value for other, value in ENVIRONMENT.items() if other != name})


@pytest.mark.parametrize(
    ("renditions", "message"),
    [
        ("", "must be a JSON object"),
        ("[]", "must be a JSON object"),
        ('{"resized": {"size": 1}}', "must be a JSON object"),
        ("{}", "is empty"),
        ('{"Resized": {}}', "lower-case letters, digits and single hyphens"),
        ('{"a/b": {}}', "lower-case letters, digits and single hyphens"),
        ('{"resized": {"scale": 0}}', "above 0 and at most 1"),
        ('{"resized": {"scale": 1.5}}', "above 0 and at most 1"),
        ('{"resized": {"scale": true}}', "above 0 and at most 1"),
        ('{"resized": {"scale": "0.5"}}', "above 0 and at most 1"),
        ('{"a": {}, "a-b": {}}', "could write one key"),
    ],
)
def test_wrong_renditions_are_refused(renditions: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Settings.from_environment(ENVIRONMENT | {"RENDITIONS": renditions})


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("cake.jpg", "resized-cake.jpg"),
        ("a/b c+d%é.jpg", "a/resized-b c+d%é.jpg"),
        ("/leading//double.png", "/leading//resized-double.png"),
        ("no-extension", "resized-no-extension"),
    ],
)
def test_the_output_key_prefixes_the_file_name(source: str, output: str) -> None:
    rendition = Rendition("resized")
    assert rendition.output_key(source) == output
    assert rendition.could_write(output)
    assert not rendition.could_write(source)


def test_the_digest_tells_settings_apart() -> None:
    assert Rendition("resized", 0.5).digest != Rendition("resized", 0.25).digest
    assert Rendition("resized", 0.5).digest == Rendition("resized").digest
