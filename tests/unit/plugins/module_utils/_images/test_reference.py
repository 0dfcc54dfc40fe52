"""Which registry an image's name means, and what a registry wants."""

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from ansible_collections.easymo.deploy.plugins.module_utils._images import Reference, read_challenge

DIGEST = "sha256:" + "a1" * 32


@pytest.mark.parametrize(
    ("text", "api", "repository", "manifest"),
    [
        ("easymo/core:v2", "https://registry-1.docker.io", "easymo/core", "v2"),
        ("nginx", "https://registry-1.docker.io", "library/nginx", "latest"),
        ("docker.io/nginx:1", "https://registry-1.docker.io", "library/nginx", "1"),
        ("reg.example.com/a/b/c:v1", "https://reg.example.com", "a/b/c", "v1"),
        ("localhost:5000/core", "https://localhost:5000", "core", "latest"),
        (f"easymo/core:v2@{DIGEST}", "https://registry-1.docker.io", "easymo/core", DIGEST),
    ],
)
def test_a_name_tells_its_registry(text, api, repository, manifest):
    found = Reference.parse(text)
    assert (found.api, found.repository, found.manifest) == (api, repository, manifest)


@pytest.mark.parametrize(
    "text", ["", "Not An Image", "easymo/core:", "easymo/core@sha256:ab", "-x", "a/../b:v1"]
)
def test_what_names_no_image_is_refused(text):
    with pytest.raises(InputError, match="names no image"):
        Reference.parse(text)


def test_a_pinned_image_keeps_its_tag_for_people_to_read():
    other = "sha256:" + "b2" * 32
    assert Reference.parse("easymo/core:v2").pinned(DIGEST) == f"easymo/core:v2@{DIGEST}"
    assert Reference.parse(f"easymo/core:v2@{DIGEST}").pinned(other) == f"easymo/core:v2@{other}"


def test_a_challenge_is_read_with_quotes_commas_and_escapes():
    scheme, parameters = read_challenge(
        'Bearer realm="https://a/t?x=1,2",service=reg, scope="repository:a/b:pull,push"'
    )
    assert (scheme, parameters) == (
        "bearer",
        {"realm": "https://a/t?x=1,2", "service": "reg", "scope": "repository:a/b:pull,push"},
    )
