"""The proxy that the tests run is the one in the image."""

from synapse.catalogue import load_catalogue
from tools.gateway.environment import locked_version


def test_the_image_s_tag_is_the_version_that_the_tests_run() -> None:
    image = load_catalogue().image("litellm")
    assert image.version == locked_version()
    assert f":v{locked_version()}" in image.reference
