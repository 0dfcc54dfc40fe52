import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._functions.probe import (
    FunctionProbe,
    verdict,
)
from ansible_collections.easymo.deploy.plugins.module_utils._http import Answer

MISSING = b'{"code": "NOT_FOUND_FUNCTION_BLOB", "message": "Requested function was not found"}'
GATEWAY = b'{"code": 401, "message": "Missing authorization header"}'
NEW_GATEWAY = b'{"code": "UNAUTHORIZED_NO_AUTH_HEADER", "message": "Missing authorization header"}'

WELL = {
    "answers": (FunctionProbe("a"), Answer(200, {}, b"hello")),
    "asks for a signature itself": (
        FunctionProbe("a"),
        Answer(401, {}, b'{"error": "signature"}'),
    ),
    "knows no such path": (FunctionProbe("a"), Answer(404, {}, b"no such page")),
    "has its own code": (FunctionProbe("a"), Answer(404, {}, b'{"code": "NO_SUCH_ORDER"}')),
    "status as asked": (FunctionProbe("a", status=(403, 405)), Answer(405, {}, b"")),
    "server error as asked": (FunctionProbe("a", status=(503,)), Answer(503, {}, b"")),
    "right version": (FunctionProbe("a", version="2"), Answer(200, {}, b'{"version": "2"}')),
    "tells no version": (FunctionProbe("a", version="2"), Answer(200, {}, b'{"ok": true}')),
}
ILL = {
    "missing blob": (
        FunctionProbe("a"),
        Answer(404, {}, MISSING),
        "the platform answered 404 NOT_FOUND_FUNCTION_BLOB",
    ),
    "not there, by header": (
        FunctionProbe("a"),
        Answer(404, {"sb-error-code": "NOT_FOUND"}, b""),
        "404 NOT_FOUND",
    ),
    "missing although 404 was asked for": (
        FunctionProbe("a", status=(404,)),
        Answer(404, {}, MISSING),
        "the platform",
    ),
    "does not start": (
        FunctionProbe("a"),
        Answer(503, {"sb-error-code": "BOOT_ERROR"}, b""),
        "503 BOOT_ERROR",
    ),
    "JWT": (FunctionProbe("a"), Answer(401, {}, GATEWAY), "the gateway requires a JWT"),
    "JWT, newer words": (
        FunctionProbe("a", status=(401,)),
        Answer(401, {}, NEW_GATEWAY),
        "the gateway requires a JWT",
    ),
    "its own error": (
        FunctionProbe("a"),
        Answer(500, {}, b"oh  no\n"),
        "it answered 500: oh no",
    ),
    "another status": (
        FunctionProbe("a", status=(200, 204)),
        Answer(403, {}, b""),
        "403 instead of 200 or 204: nothing",
    ),
    "wrong version": (
        FunctionProbe("a", version="2"),
        Answer(200, {}, b'{"version": "1"}'),
        "version 1 instead of 2",
    ),
}


@pytest.mark.parametrize(("probe", "answer"), WELL.values(), ids=WELL)
def test_a_function_that_speaks_for_itself_is_well(probe, answer):
    assert verdict(probe, answer) == ""


@pytest.mark.parametrize(("probe", "answer", "words"), ILL.values(), ids=ILL)
def test_where_the_platform_speaks_the_function_is_not_well(probe, answer, words):
    assert words in verdict(probe, answer)
