"""No secret survives in text of others, whatever surrounds it, and nothing else is hidden."""

import base64
import itertools
import json
import random
import re
import time
import typing as t
import uuid
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.easymo.deploy.plugins.module_utils._redaction import (
    Redactor,
    excerpt,
    redact,
)
from tests.examples import examples
from tests.fakes.long_texts import LONG_TEXTS, long_text

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS = "0123456789"
HEX = "0123456789abcdef"
PIECE = 5
"""Characters of a secret that must not be left over, side by side."""


def words_of(alphabet: str, least: int, most: int) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=least, max_size=most)


# With a digit, as what a generator of secrets makes has one.
PLAIN = st.builds(
    "{}{}{}".format, words_of(LETTERS, 5, 20), words_of(DIGITS, 1, 3), words_of(LETTERS, 5, 20)
)
# With what ends a value elsewhere.
ODD = st.builds(
    "{}{}{}".format,
    words_of(LETTERS, 5, 9),
    words_of("!#$*+-._~^@/,}]):", 1, 3),
    words_of(LETTERS + DIGITS, 5, 9),
)
# A first word that stands for no value is shown, where a cut leaves it alone: by itself it tells nothing.
NO_VALUES = {"undefined", "unset", "empty", "required", "optional", "false"}
WORD = words_of(LETTERS, 5, 9).filter(lambda word: word.lower() not in NO_VALUES)
PHRASE = st.lists(WORD, min_size=2, max_size=4).map(" ".join)
URL_SAFE = words_of(LETTERS + DIGITS + "-_", 24, 60)
PASSWORD_WORDS = ["password", "DB_PASSWORD", "PGPASSWORD", "pwd", "passphrase", "Password", "user_passwd",
                  "spring.datasource.password"]  # fmt: skip
TOKEN_WORDS = ["token", "api_key", "apiKey", "API-KEY", "secret", "client_secret", "AWS_SECRET_ACCESS_KEY",
               "access_token", "SUPABASE_SERVICE_ROLE_KEY", "private_key", "X-Api-Key", "hub.verify_token",
               "routing_key", "authToken"]  # fmt: skip
PASSWORD_NAMES = st.sampled_from(PASSWORD_WORDS)
NAMES = st.one_of(PASSWORD_NAMES, st.sampled_from(TOKEN_WORDS))

Planted = tuple[str, str]
"""A text, and the secret that is in it: as it stands there."""


def pem(body: str, kind: str) -> str:
    encoded = base64.b64encode(body.encode() * 4).decode()
    lines = "\n".join(encoded[at : at + 64] for at in range(0, len(encoded), 64))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{lines}\n-----END {kind}PRIVATE KEY-----"


def key_in(body: str) -> str:
    """A line of the key in `pem(body, …)`."""
    return base64.b64encode(body.encode() * 4).decode()[:60]


def planted(
    form: str, secret: st.SearchStrategy[str], names: st.SearchStrategy[str] = NAMES
) -> st.SearchStrategy[Planted]:
    return st.builds(lambda s, n: (form.format(s=s, n=n), s), secret, names)


def encoded(
    how: t.Callable[[str], str],
    form: str,
    secret: st.SearchStrategy[str],
    names: st.SearchStrategy[str] = NAMES,
) -> st.SearchStrategy[Planted]:
    return st.builds(lambda s, n: (how(form.format(s=s, n=n)), how(s)), secret, names)


def quoted(how: t.Callable[[t.Any], str], name: str, value: str) -> Planted:
    return how({"user": "bob", name: value, "attempt": 3}), value


def in_json_in_json(name: str, value: str) -> Planted:
    return json.dumps({"msg": json.dumps({name: value, "attempt": 3})}), value


OPTIONS = st.sampled_from(["password", "api-key", "token"])
KEY_KINDS = st.sampled_from(["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "])
SHAPES: dict[str, st.SearchStrategy[Planted]] = {
    "json": st.builds(lambda n, s: quoted(json.dumps, n, s), NAMES, st.one_of(PLAIN, ODD, PHRASE)),
    "python": st.builds(lambda n, s: quoted(repr, n, s), NAMES, st.one_of(PLAIN, ODD, PHRASE)),
    "json in json": st.builds(in_json_in_json, NAMES, st.one_of(PLAIN, ODD, PHRASE)),
    "yaml": planted("\n{n}: {s}\n", st.one_of(PLAIN, ODD, PHRASE)),
    "yaml quoted": planted("\n  {n}: '{s}'\n", st.one_of(PLAIN, ODD, PHRASE)),
    "yaml block": planted("\n  {n}: |\n    {s}\n    {s}\n  next: 1\n", st.one_of(PLAIN, PHRASE)),
    "pod environment": planted("\n- name: {n}\n  value: {s}\n", st.one_of(PLAIN, ODD)),
    "pod environment in json": planted('{{"name":"{n}","value":"{s}"}}', st.one_of(PLAIN, ODD, PHRASE)),
    "environment": planted("\n{n}={s}\n", st.one_of(PLAIN, ODD)),
    "environment with spaces": planted("\nexport {n}={s}\n", PHRASE, PASSWORD_NAMES),
    "ini": planted("\n{n} = {s}\n", st.one_of(PLAIN, PHRASE)),
    "sentence": planted("cannot log in with {n}: {s}", PHRASE, PASSWORD_NAMES),
    "libpq": planted("host=db {n}={s} user=bob", st.one_of(PLAIN, ODD), PASSWORD_NAMES),
    "libpq quoted": planted("host=db {n}='{s}' user=bob", st.one_of(PLAIN, ODD, PHRASE), PASSWORD_NAMES),
    "ado": planted("Server=db;{n}={s};Database=x", st.one_of(PLAIN, PHRASE), PASSWORD_NAMES),
    "query string": planted("https://api.example.com/v1?a=1&{n}={s}&b=2", PLAIN),
    "url encoded": encoded(lambda text: quote(text, safe=""), "a=1&{n}={s}&b=2", st.one_of(PLAIN, ODD)),
    "json url encoded": encoded(lambda text: quote(text, safe=""), '{{"{n}":"{s}"}}', PLAIN),
    "html encoded": planted("&quot;{n}&quot;:&quot;{s}&quot;", st.one_of(PLAIN, PHRASE)),
    "header": planted("Authorization: {s}", st.one_of(PLAIN, ODD)),
    "header of curl": planted("curl -H 'Authorization: Token {s}' https://x", st.one_of(PLAIN, ODD)),
    "cookie": planted("Cookie: theme=dark; session={s}; lang=en", PLAIN),
    "bearer folded": planted("  msg: it sent Bearer\n    {s} to it", URL_SAFE),
    "option": planted("run --{n} {s} --verbose", PLAIN, OPTIONS),
    "option with a sign": planted("run --{n}={s} --verbose", st.one_of(PLAIN, ODD), OPTIONS),
    "sql": planted("ALTER ROLE bob WITH PASSWORD '{s}' VALID UNTIL 'infinity'", st.one_of(PLAIN, ODD, PHRASE)),
    "xml": planted("<{n}>{s}</{n}>", st.one_of(PLAIN, PHRASE), st.sampled_from(["password", "ns:Password", "apiKey"])),
    "url": planted("postgresql://bob:{s}@db.example.com:5432/app", st.one_of(PLAIN, ODD)),
    "url with a scheme in its password": st.builds(
        lambda a, b: (f"redis://bob:{a}://{b}@cache:6379/0", f"{a}://{b}"), PLAIN, PLAIN),
    "encoded url with one": st.builds(
        lambda a, b: (f"u=redis%3A%2F%2F%3A{a}%3A%2F%2F{b}%40cache&x=1", f"{a}%3A%2F%2F{b}"), PLAIN, PLAIN),
    "url in json": planted('"postgres:\\/\\/bob:{s}@db\\/app"', PLAIN),
    "url in url": encoded(lambda text: quote(text, safe=""), "postgres://bob:{s}@db/app", PLAIN),
    "login with @": st.builds(lambda a, b: (f"connect bob:{a}@{b}@db.example.com", f"{a}@{b}"), PLAIN, PLAIN),
    "private key": st.builds(lambda s, kind: (pem(s, kind), key_in(s)), PHRASE, KEY_KINDS),
    "private key in json": PHRASE.map(lambda s: (json.dumps({"key": pem(s, "")}), key_in(s))),
}  # fmt: skip

# What is around it: ends of lines and sentences, and what logs put before and after a field.
BEFORE = st.sampled_from(
    ["", "2026-11-25T06:00:00.123Z ERROR [app] ", "Traceback:\n  File \"x.py\", line 3\n", "msg=", "(", "\t", "said: ",
     "wallet-service-7d9f-x2k: ", "id 550e8400-e29b-41d4-a716-446655441357\n", "it said ", "[", "> "]
)  # fmt: skip
AFTER = st.sampled_from(
    ["", "\n", "\nnext line\n", " ", ".", ", then nothing", "\r\n200 OK", ")", "\tx"]
)


def left_over(shown: str, secret: str, text: str) -> list[str]:
    """Pieces of the secret that are still shown, and stand nowhere else in the text."""
    around = text.replace(secret, "")
    pieces = {secret[at : at + PIECE] for at in range(len(secret) - PIECE + 1)}
    return sorted(piece for piece in pieces if piece in shown and piece not in around)


@pytest.mark.parametrize("shape", SHAPES)
@examples(25)
@given(data=st.data())
def test_no_planted_secret_survives(shape, data):
    text, secret = data.draw(SHAPES[shape])
    whole = data.draw(BEFORE) + text + data.draw(AFTER)
    assert not left_over(redact(whole), secret, whole), redact(whole)


ALPHABETS = {
    "w": LETTERS + DIGITS, "x": HEX, "d": DIGITS, "U": LETTERS[26:] + DIGITS, "b": LETTERS + DIGITS + "+/",
}  # fmt: skip
VENDORS = yaml.safe_load(Path(__file__).with_name("secret_shapes.yml").read_text("utf-8"))
FORMS = [form for forms in VENDORS.values() for form in forms]


def made(form: str, chance: random.Random) -> tuple[str, list[str]]:
    """A text of the form, and what was made up in it."""
    secrets = []

    def make(match: re.Match[str]) -> str:
        kind, length = match[1], int(match[2] or 0)
        value = "".join(chance.choices(ALPHABETS.get(kind, ALPHABETS["w"]), k=length))
        if kind == "u":
            value = str(uuid.UUID(int=chance.getrandbits(128)))
        elif kind == "p":
            value = f"Tr{chance.randint(10, 99)}!{''.join(chance.choices(LETTERS, k=5))}"
        # A part of one letter only is no example: each has a digit, as nearly all of them have.
        elif length > PIECE and not any(map(str.isdigit, value)):
            value = f"7{value[1:]}"
        secrets.append(value)
        return value

    return re.sub(r"\{([wxdUbup])(\d*)\}", make, form), secrets


def test_there_are_150_forms_of_vendors_and_people():
    assert len(set(FORMS)) >= 150


@pytest.mark.parametrize("form", FORMS)
def test_no_secret_of_a_known_form_survives(form):
    chance = random.Random(form)
    for before, after in (
        ("", ""),
        ("2026-11-25 ERROR it said: ", " to it"),
        ("(", ")."),
        ("x\n", "\ny"),
    ):
        text, secrets = made(form, chance)
        whole = f"{before}{text}{after}"
        for shown in (redact(whole), str(Redactor().within({"a": [whole]})["a"][0])):
            over = [left_over(shown, secret, whole) for secret in secrets if len(secret) > PIECE]
            assert not any(over), shown
            assert redact(shown) == shown


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
@examples(15)
@given(data=st.data())
def test_no_half_of_a_secret_survives_where_a_body_is_cut(shape, data):
    """The place at which the body is cut goes through all of the secret."""
    text, secret = data.draw(SHAPES[shape])
    at = data.draw(st.integers(0, len(text)))
    body = "\n" * (16_384 - at) + text + " and so on" * 100
    assert not left_over(excerpt(body, 400), secret, body), excerpt(body, 400)


ORDINARY = """\
connect to https://api.example.com failed: 3 tokens left, key missing
The check token_supabase: https://api.supabase.com/v1/projects answered 401
secret_kubernetes_token: pass, 3 projects may be read
2026-11-25T06:00:00.123Z INFO [http] GET /v1/orders/550e8400-e29b-41d4-a716-446655441357 200 12ms
10.0.0.7 - - [25/Nov/2026:06:00:00 +0000] "GET /health?probe=1 HTTP/1.1" 200 17 "-" "kube-probe/1.31"
image: registry.example.com/wallet-service:v2@sha256:9b2c5f0d1e7a4f6b8c3d2e1f0a9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b
docker://alpine:3.19@sha256:9b2c5f0d1e7a4f6b8c3d2e1f0a9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b
commit 9fceb02d0ae598e95dc970b74767f19372d61af8 (HEAD -> main)
md5 d41d8cd98f00b204e9800998ecf8427e, sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
Traceback (most recent call last):
  File "/app/login.py", line 12, in connect
    return psycopg2.connect(host=host, password=password, token=self.token)
    password = os.environ["DB_PASSWORD"]
    const token = req.headers["x-token"]
    secret = load_secret()
KeyError: 'session'
TypeError: Cannot read properties of undefined (reading 'token')
SyntaxError: Unexpected token < in JSON at position 0
SyntaxError: Unexpected token: }
JsonWebTokenError: invalid token: unexpected end of input
at Object.<anonymous> (/app/node_modules/auth/token.js:10:15)
SELECT id, password, token FROM users WHERE token = $1 AND password = :password LIMIT 10
UPDATE users SET token = excluded.token WHERE users.token = t.token
CREATE TABLE users (id uuid PRIMARY KEY, password text NOT NULL, token_count integer DEFAULT 0)
ALTER TABLE public.orders ADD COLUMN secret_note text;
FATAL: password authentication failed for user "easymo"
ERROR: permission denied for table secrets
MountVolume.SetUp failed for volume "app" : secret "wa-app-secret" not found
Error: secret "db-password" not found in namespace easymo-prod
{"kind":"Pod","spec":{"imagePullSecrets":[{"name":"regcred"}],"automountServiceAccountToken":false}}
{"valueFrom":{"secretKeyRef":{"name":"db-creds","key":"password"}}}
  secret:
    secretName: db-creds
  - secretRef: {name: app-env}
"token_type":"bearer","expires_in":3600
{"prompt_tokens":123,"completion_tokens":456,"total_tokens":579,"max_tokens":4096}
prompt_tokens=123 completion_tokens=456 tokens: 512
token_supabase: it ends in 3 days
{"token_supabase": "it ends in 3 days", "password": "********", "token": null, "secret": ""}
password: ${DB_PASSWORD}
password: {{ vault_db_password }}
password=<password> token=****** secret=[REDACTED]
basic authentication failed. Bearer authentication is required.
the basic understanding of bearer tokens
is it still basic
or a bearer
PWD=/srv/app
OLDPWD=/root
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin
--- PASS: TestLogin (0.00s)
12 passed, pass: 12, fail: 0, error: 0
https://api.example.com:8443/v1/users?mail=bob@example.com
https://user@host.example.com:8443/x@y
git@github.com:easymo/app.git
mailto:bob@example.com, from:jane2@example.com, cc: team@example.com
redis://cache:6379/0 amqp://queue:5672 http://[::1]:8080/x@y
-----BEGIN CERTIFICATE-----
MIIBszCCAVmgAwIBAgIUQ0FmYWtlQ0FmYWtlQ0FmYWtlQ0FmYWtlMAoGCCqGSM49
-----END CERTIFICATE-----
-----BEGIN PUBLIC KEY-----
task-queue-worker-7d9f8b6c5-x2k4q is ready; disk-pressure is false; risk-based-routing-is-on
key: value, keyboard=qwerty, monkey: 3, primary_key=id, foreign key (user_id)
author: bob, authority: x, authored 3 commits
the secretary said: yes
compass: north, bypass=true, passed: 3
secret_rotation_days=30 password_policy: strong token_expires_at: 2026-12-01T00:00:00Z
Hold: complaints has no data (no series). Fix it or wait for data, then run the same phase again.
probes of https://project.example.com/functions/v1/wa-webhook failed: HTTP 503
wa-webhook answered 500 and not 200 (it said: {"error":"upstream timed out"})
""".splitlines()


@pytest.mark.parametrize("line", ORDINARY)
def test_nothing_else_is_hidden(line):
    assert redact(line) == line


@examples(100)
@given(st.lists(st.sampled_from(ORDINARY), min_size=1, max_size=12))
def test_nothing_else_is_hidden_wherever_a_line_stands(lines):
    text = "\n".join(lines)
    assert redact(text) == text


@examples(200)
@given(
    st.one_of(
        words_of(HEX, 32, 200), st.uuids().map(str), st.integers().map(str), st.floats().map(str)
    )
)
def test_digests_and_numbers_stay(value):
    for text in (
        value,
        f"digest sha256:{value}",
        f'{{"id": "{value}"}}',
        f"id={value}",
        f"/v1/{value}?x={value}",
    ):
        assert redact(text) == text


@examples(200)
@given(st.text(max_size=300))
def test_redacting_again_changes_nothing(text):
    once = redact(text)
    assert redact(once) == once


@pytest.mark.parametrize("shape", SHAPES)
@examples(10)
@given(data=st.data())
def test_what_is_around_a_secret_stays(shape, data):
    text, _secret = data.draw(SHAPES[shape])
    lines = data.draw(st.lists(st.sampled_from(ORDINARY), min_size=2, max_size=2))
    shown = redact(f"{lines[0]}\n{text}\n{lines[1]}").splitlines()
    assert (shown[0], shown[-1]) == (lines[0], lines[1])


def test_a_line_that_ends_with_the_name_of_a_scheme_hides_nothing_of_the_next():
    assert redact("is it still basic\n    secretName: db-creds").endswith("secretName: db-creds")
    for lines in itertools.permutations(
        ("is it still basic", "or a bearer", "2026-11-25T06:00:00.123Z INFO")
    ):
        assert redact("\n".join(lines)) == "\n".join(lines)
    assert (
        redact("pwd: so it is basic\n2026-11-25T06:00 ok") == "pwd: ********\n2026-11-25T06:00 ok"
    )


def cpu_seconds(text: str) -> float:
    """The least of two, so that what else the machine does counts little."""
    taken = []
    for _ in range(2):
        before = time.process_time()
        redact(text)
        taken.append(time.process_time() - before)
    return min(taken)


@pytest.mark.nightly
@pytest.mark.parametrize("kind", LONG_TEXTS)
def test_eight_times_the_text_takes_about_eight_times_as_long(kind):
    """Were it quadratic, it would take 64 times as long."""
    least = 0.001  # below it the clock counts more than the text
    once, eightfold = (cpu_seconds(long_text(kind, length)) for length in (12_000, 96_000))
    assert eightfold < 24 * max(once, least)


@pytest.mark.parametrize("kind", LONG_TEXTS)
def test_an_excerpt_of_a_long_body_reads_no_more_than_its_beginning(kind):
    assert excerpt(long_text(kind, 17_000), 300) == excerpt(long_text(kind, 1_000_000), 300)


def test_a_body_without_any_space_is_shown_as_far_as_there_is_room():
    assert excerpt("a1" * 20_000, 300) == "a1" * 150
    assert excerpt("it failed: " + "a1" * 20_000, 40) == "it failed: " + "a1" * 14 + "a"


def test_a_secret_that_the_run_knows_is_blank_inside_structures_by_value_and_by_name():
    given = {
        "a": ["hunter2hunter2"],
        "password": "tiny",
        "n": 1,
        "none": None,
        "deep": {"b": {1, 2}},
    }
    shown = {
        "a": ["********"],
        "password": "********",
        "n": 1,
        "none": None,
        "deep": {"b": "{1, 2}"},
    }
    assert Redactor(["hunter2hunter2", "short"]).within(given) == shown
    assert Redactor(["short"])("ready in a short time") == "ready in a short time"
