"""Texts of any length at which a regular expression may look again and again."""

_REPEATED = {
    "letters": "a",
    "hexadecimal": "a1",
    "dashes": "-",
    "spaces": " ",
    "line ends": "\n",
    "backslashes": "\\",
    "quotes": '"',
    "apostrophes": "'",
    "percents": "%",
    "brackets": "[{(",
    "colons": ":",
    "at signs": "@",
    "slashes": "/",
    "dots": ".",
    "equals": "=",
    "names": "password",
    "names with spaces": "token ",
    "names with values": "password: x, ",
    "names with code": "password=a(",
    "names with open quotes": 'password="x ',
    "names with escaped quotes": 'password=\\"',
    "names with encoded quotes": "password%3D%22",
    "names in quotes": "'password':",
    "names in a list": "('password', ",
    "names of entries": "name: password ",
    "names of elements": "<password ",
    "options": "--password ",
    "blocks": "  password: |\n",
    "schemes": "://a:",
    "encoded schemes": "%3A%2F%2Fa:",
    "logins": "a:b@",
    "starts of web tokens": "-eyJabcdefgh",
    "starts of private keys": "-----BEGIN PRIVATE KEY-----",
    "ends of private keys": "-----END PRIVATE KEY-----",
    "lines of a private key": "A" * 60 + "\n",
    "bearers": "bearer ",
    "signatures": "&sig=&",
    "beginnings of keys": "-ghp_abc hf_ab-",
    "beginnings of bodies of keys": "MIIEvQIBAD",
    "commands": "mysql -u x curl -p ",
    "passwords in sentences": "password is user x pass: ",
    "a log": "2026-11-25T06:00:00Z INFO [http] GET /v1/orders/550e8400 200 12ms\n",
}

LONG_TEXTS = tuple(_REPEATED)


def long_text(kind: str, length: int) -> str:
    part = _REPEATED[kind]
    return (part * (length // len(part) + 1))[:length]
