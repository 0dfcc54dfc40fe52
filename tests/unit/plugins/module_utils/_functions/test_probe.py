import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._functions.log import (
    FunctionAnswer,
    FunctionProbe,
    verdict,
)

MISSING = '{"code": "NOT_FOUND_FUNCTION_BLOB", "message": "Requested function was not found"}'
GATEWAY = '{"code": 401, "message": "Missing authorization header"}'
NEW_GATEWAY = '{"code": "UNAUTHORIZED_NO_AUTH_HEADER", "message": "Missing authorization header"}'

WELL = {
    "answers": (FunctionProbe("a"), FunctionAnswer(200, {}, "hello")),
    "asks for a signature itself": (
        FunctionProbe("a"),
        FunctionAnswer(401, {}, '{"error": "signature"}'),
    ),
    "knows no such path": (FunctionProbe("a"), FunctionAnswer(404, {}, "no such page")),
    "has its own code": (FunctionProbe("a"), FunctionAnswer(404, {}, '{"code": "NO_SUCH_ORDER"}')),
    "status as asked": (FunctionProbe("a", status=(403, 405)), FunctionAnswer(405, {}, "")),
    "server error as asked": (FunctionProbe("a", status=(503,)), FunctionAnswer(503, {}, "")),
    "right version": (FunctionProbe("a", version="2"), FunctionAnswer(200, {}, '{"version": "2"}')),
    "tells no version": (FunctionProbe("a", version="2"), FunctionAnswer(200, {}, '{"ok": true}')),
}
ILL = {
    "missing blob": (
        FunctionProbe("a"),
        FunctionAnswer(404, {}, MISSING),
        "the platform answered 404 NOT_FOUND_FUNCTION_BLOB",
    ),
    "not there, by header": (
        FunctionProbe("a"),
        FunctionAnswer(404, {"sb-error-code": "NOT_FOUND"}, ""),
        "404 NOT_FOUND",
    ),
    "missing although 404 was asked for": (
        FunctionProbe("a", status=(404,)),
        FunctionAnswer(404, {}, MISSING),
        "the platform",
    ),
    "does not start": (
        FunctionProbe("a"),
        FunctionAnswer(503, {"sb-error-code": "BOOT_ERROR"}, ""),
        "503 BOOT_ERROR",
    ),
    "JWT": (FunctionProbe("a"), FunctionAnswer(401, {}, GATEWAY), "the gateway requires a JWT"),
    "JWT, newer words": (
        FunctionProbe("a", status=(401,)),
        FunctionAnswer(401, {}, NEW_GATEWAY),
        "the gateway requires a JWT",
    ),
    "its own error": (
        FunctionProbe("a"),
        FunctionAnswer(500, {}, "oh  no\n"),
        "it answered 500: oh no",
    ),
    "another status": (
        FunctionProbe("a", status=(200, 204)),
        FunctionAnswer(403, {}, ""),
        "403 instead of 200 or 204: nothing",
    ),
    "wrong version": (
        FunctionProbe("a", version="2"),
        FunctionAnswer(200, {}, '{"version": "1"}'),
        "version 1 instead of 2",
    ),
}


@pytest.mark.parametrize(("probe", "answer"), WELL.values(), ids=WELL)
def test_a_function_that_speaks_for_itself_is_well(probe, answer):
    assert verdict(probe, answer) == ""


@pytest.mark.parametrize(("probe", "answer", "words"), ILL.values(), ids=ILL)
def test_where_the_platform_speaks_the_function_is_not_well(probe, answer, words):
    assert words in verdict(probe, answer)
