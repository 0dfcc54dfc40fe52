import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._functions.probe import (
    Answer,
    Probe,
    verdict,
)

MISSING = '{"code": "NOT_FOUND_FUNCTION_BLOB", "message": "Requested function was not found"}'
GATEWAY = '{"code": 401, "message": "Missing authorization header"}'
NEW_GATEWAY = '{"code": "UNAUTHORIZED_NO_AUTH_HEADER", "message": "Missing authorization header"}'

WELL = {
    "answers": (Probe("a"), Answer(200, {}, "hello")),
    "asks for a signature itself": (Probe("a"), Answer(401, {}, '{"error": "signature"}')),
    "knows no such path": (Probe("a"), Answer(404, {}, "no such page")),
    "has its own code": (Probe("a"), Answer(404, {}, '{"code": "NO_SUCH_ORDER"}')),
    "status as asked": (Probe("a", status=(403, 405)), Answer(405, {}, "")),
    "server error as asked": (Probe("a", status=(503,)), Answer(503, {}, "")),
    "right version": (Probe("a", version="2"), Answer(200, {}, '{"version": "2"}')),
    "tells no version": (Probe("a", version="2"), Answer(200, {}, '{"ok": true}')),
}
ILL = {
    "missing blob": (Probe("a"), Answer(404, {}, MISSING), "the platform answered 404 NOT_FOUND_FUNCTION_BLOB"),
    "not there, by header": (Probe("a"), Answer(404, {"sb-error-code": "NOT_FOUND"}, ""), "404 NOT_FOUND"),
    "missing although 404 was asked for": (Probe("a", status=(404,)), Answer(404, {}, MISSING), "the platform"),
    "does not start": (Probe("a"), Answer(503, {"sb-error-code": "BOOT_ERROR"}, ""), "503 BOOT_ERROR"),
    "JWT": (Probe("a"), Answer(401, {}, GATEWAY), "the gateway requires a JWT"),
    "JWT, newer words": (Probe("a", status=(401,)), Answer(401, {}, NEW_GATEWAY), "the gateway requires a JWT"),
    "its own error": (Probe("a"), Answer(500, {}, "oh  no\n"), "it answered 500: oh no"),
    "another status": (Probe("a", status=(200, 204)), Answer(403, {}, ""), "403 instead of 200 or 204: nothing"),
    "wrong version": (Probe("a", version="2"), Answer(200, {}, '{"version": "1"}'), "version 1 instead of 2"),
}  # fmt: skip


@pytest.mark.parametrize(("probe", "answer"), WELL.values(), ids=WELL)
def test_a_function_that_speaks_for_itself_is_well(probe, answer):
    assert verdict(probe, answer) == ""


@pytest.mark.parametrize(("probe", "answer", "said"), ILL.values(), ids=ILL)
def test_where_the_platform_speaks_the_function_is_not_well(probe, answer, said):
    assert said in verdict(probe, answer)
