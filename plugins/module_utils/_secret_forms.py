# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that have a form of their own, whatever stands before them: keys, tokens, credentials in URLs, private keys.

The beginnings of keys are those that their vendors document, such as https://docs.gitlab.com/security/tokens,
https://docs.github.com/authentication/keeping-your-account-and-data-secure/about-authentication-to-github,
https://docs.stripe.com/keys, https://shopify.dev/docs/apps/build/authentication-authorization,
https://vercel.com/changelog/new-token-formats-and-secret-scanning, https://core.telegram.org/bots/api,
https://developers.cloudflare.com/fundamentals/api/get-started/token-formats, PyPI's "API tokens",
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html and crypt(5).

Each pattern begins with text that it must have, and repeats nothing that it may have to read again, so that all of
them are linear in the length of the text.

Which names are given to secrets: of variables, fields, headers and options. The one place that lists them.
"""

from __future__ import annotations

import re
import typing as t

_PASSWORDS = (
    r"pass(?:word|wd|phrase|code|wort)|pwd|pswd|dbpass|kennwort|contrase[nñ]a|(?<![A-Za-z])senha|wachtwoord"
    r"|mot[ _-]de[ _-]passe|nenosiri|пароль"
)
_HEADERS = r"authorization|cookie"
_TOKENS = (
    r"secret|token|credential|bearer|slack[_.-]?webhook|api[ _.-]?key|app(?:lication)?[_-]?key|license[_-]?key"
    r"|(?:access|secret|private|signing|encryption|master|role|auth|account|shared|session|routing|integration|client)"
    r"[_.-]?key"
)
# Too short to say it within a word.
_SHORT = r"(?<![A-Za-z])(?:pw|auth)(?![A-Za-z])|_pass(?![A-Za-z])"

SECRET_NAME = re.compile(
    # Their first letters come first, so that most places are passed over at once.
    f"(?=[a-eiklmnpr-tw_п])(?:(?P<password>{_PASSWORDS})|(?P<header>{_HEADERS})|(?P<token>{_TOKENS})|(?P<short>{_SHORT}))",
    re.I,
)
"""Stands in the name of a secret, and in names that are about one: `holds_secret` and `Naming` tell them apart."""

# What may come after it in the name of a secret.
_STILL = re.compile(
    r"s?(?:[_.-]?(?:\d{1,4}|value|raw|plain|plaintext|hash|hashed|base64|b64|encoded|encrypted|old|new|current"
    r"|previous|prod|production|staging|dev|test|demo|default|base|confirm|confirmation|header|key)s?)?",
    re.I,
)
# What comes last in a name that is about a secret and holds none.
_ABOUT = re.compile(
    r"(?:^|[_.-])(?:type|name|id|user|count|ttl|age|at|in|on|ref|file|path|dir|mount|url|uri|host|endpoint|version"
    r"|status|state|valid|present|missing|enabled|disabled|required|used|usage|budget|min|max|limits?|size|length|policy"
    r"|expir(?:y|es|ed|ation|ing)|algorithm|format|kind|source|rotation|rotated|errors?|bytes|seconds|days|problems?)$",
    re.I,
)
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
Kind = t.Literal["password", "header", "token", "related"]


class Naming(t.NamedTuple):
    """`related`: the name has such a word and goes on, so that its value decides. `many`: it is a plural."""

    kind: Kind
    many: bool = False


def naming(name: str) -> Naming | None:
    """What the name says of its value; None when it says nothing."""
    results = list(SECRET_NAME.finditer(name))
    if not results:
        return None
    last = results[-1]
    rest = name[last.end() :].rstrip("_.-")
    if _STILL.fullmatch(rest):
        kind = t.cast("Kind", "related" if last["short"] else last.lastgroup)
        return Naming(kind, many=rest[:1] in ("s", "S"))
    if _ABOUT.search(_WORDS.sub("_", name)):
        return None
    return Naming("related")


def holds_secret(name: str) -> bool:
    """Whether a variable or an option of this name may hold one. An inventory's own are called `secret_*`."""
    if name.startswith("secret_"):
        return not name.endswith("_user")
    return naming(name) is not None


INNOCENT = frozenset({"secrets", "required_secrets"})
"""Options that name secrets and hold none."""


def secrets_within(value: t.Any, name: str = "") -> t.Iterator[str]:
    """The values of all options that hold one, however deep."""
    if isinstance(value, str):
        if value and holds_secret(name):
            yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key not in INNOCENT:
                yield from secrets_within(inner, str(key))
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from secrets_within(inner, name)


BLANK = "********"

# Also after an escape of JSON or of a URL, whose last character is a letter or a digit.
_BEGIN = r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrt]))"

_RANDOM = r"(?=[A-Za-z]{0,40}\d)[A-Za-z0-9]{20,}(?![\w-])"
"""With a digit, behind what also begins words and names of files."""
_WORD = r"[\w-]{16,}(?:\.[\w-]+)*"
_HEX = r"[0-9a-f]{32,}(?:-[0-9]{1,2})?"
_UUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
_VENDORS: t.Sequence[tuple[str, str]] = (
    ("glpat- gloas- gldt- glrt- glrtr- glcbt- glptt- glft- glimt- glagent- glwt- glsoat- glffct- GR1348941", _WORD),
    ("ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ ATATT3 ATCTT3 ATBB CCIPAT_ CCIPRJ_ bkua_ bkct_", _WORD),
    ("sbp_ sb_secret_ dop_v1_ doo_v1_ dor_v1_ shpat_ shpca_ shppa_ shpss_ shptka_ sq0atp- sq0csp-", _WORD),
    ("xkeysib- xsmtpsib- pypi-AgE dckr_pat_ dckr_oat_ hvs. hvb. hvr. figd_ PMAK- PMAT-", _WORD),
    ("glsa_ NRAK- NRII- NRJS- NRAA- NRRA- sntrys_ sntryu_ sntrya_ cfk_ cfut_ cfat_ HRKU- pscale_tkn_", _WORD),
    ("pscale_pw_ pscale_oauth_ mdb_sa_sk_ CFPAT- tskey- hcaik_ hcbik_ dt0c01. dt0s01. FLWSECK- FLWSECK_TEST-", _WORD),
    ("sk-proj- sk-ant- sk-svcacct- sk-admin- sk-or-v1- nvapi- lsv2_pt_ lsv2_sk_ pcsk_ apify_api_ duffel_live_", _WORD),
    ("duffel_test_ EZAK EZTK shippo_live_ shippo_test_ dnkey- AGE-SECRET-KEY-1 AGE-SECRET-KEY-PQ-1 GOCSPX-", _WORD),
    ("ya29. SG. AQVN ABSK AKCp cmVmdGtu polar_pat_ persona_production_ gsk_ xai- pplx- csk- tfp_", _WORD),
    ("npm_ rubygems_ lin_api_ lin_oauth_ ntn_ secret_ vcp_ vci_ vca_ vcr_ vck_ nfp_ nfo_ nfc_ hf_", _RANDOM),
    ("api_org_ r8_ rnd_ napi_ sgp_ pnu_ pnb_ phx_ phs_ dbtc_ dbtu_ dbts_ squ_ sqp_ sqa_ ico- waka_ vtwn_ sk-", _RANDOM),
    ("key- dapi dkea dose dsapi pul- SK SEC rdme_", _HEX),
    ("sdk- api- access- pat-na1- pat-eu1- rootly_", rf"(?:[a-z]{{7,11}}-)?{_UUID}"),
    ("xox", r"(?:e\.xox)?[a-z]-[\w-]{8,}"),
    ("xapp- xwfp-", r"[\w-]{8,}"),
    ("sk_ rk_ pk_", r"(?:live|test|prod|org)_\w{10,}"),
    ("whsec_", r"[\w+/=-]{16,}"),
    ("AKIA ASIA ABIA ACCA LTAI", r"[A-Za-z0-9]{12,}"),
    ("AIza", r"[\w-]{30,}"),
    ("EAA", r"[A-Za-z0-9]{30,}"),
    ("cio oy2", r"[A-Za-z0-9]{32}(?:[a-z0-9]{11})?(?![\w-])"),
    ("dp.", r"(?:pt|st|ct|sa|said|scim|audit)\.(?:[\w-]{1,35}\.)?[A-Za-z0-9]{30,}"),
    ("glc_ fm1r_ fm1a_ fm2_ access_token$ ops_eyJ", r"[\w+/=$-]{20,}"),
    ("amzn", r"(?:1\.oa2-cs\.v1\.|\.mws\.)[\w-]{20,}"),
    ("pat", r"[A-Za-z0-9]{14}\.[0-9a-f]{40,}"),
    ("sk.eyJ tk.eyJ sl. t1.", r"[\w-]{30,}(?:\.[\w-]+)*"),
    ("A3-", r"(?:[A-Z0-9]{5,6}-){4,6}[A-Z0-9]{5,6}"),
    ("v1.0-", r"[0-9a-f]{24}-[0-9a-f]{100,}"),
    # JSON Web Tokens, encrypted ones too: eyJ is how '{"' begins in base64.
    ("eyJ", r"(?:[\w-]{16,}(?:\.[\w-]*){0,4}|[\w-]{4,15}(?:\.[\w-]{8,}){2,4})"),
    # The bodies of keys without their first line: OpenSSH's, and those of X.509 as PKCS #1, PKCS #8 and SEC 1.
    ("b3BlbnNzaC1rZXktdjE MHcCAQEEI MIGHAgEAMBMG MC4CAQAwBQYDK2Vw MII",
     r"(?:(?<!MII)|[A-Za-z0-9+/]{3}IBA[AD])[A-Za-z0-9+/=]{20,}(?:(?:\s|\\[nr]){1,4}[A-Za-z0-9+/=]{40,})*"
     r"(?:(?:\s|\\[nr]){1,4}[A-Za-z0-9+/]{1,70}={1,2})?"),
    # Hashes of passwords by crypt(5), which can be guessed from.
    ("$1$ $5$ $6$ $y$ $2a$ $2b$ $2y$ $argon2i$ $argon2id$ $scrypt$ pbkdf2_sha256$ SCRAM-SHA-256$",
     r"[\w./$,=+:-]{20,}"),
)  # fmt: skip
"""Beginnings, and what may come behind them."""


def _keys() -> str:
    """All of _VENDORS, by the first character, so that most places are passed over at once."""
    behind: dict[str, list[str]] = {}
    for beginnings, rest in _VENDORS:
        by_first: dict[str, list[str]] = {}
        for beginning in beginnings.split():
            by_first.setdefault(beginning[0], []).append(re.escape(beginning[1:]))
        for first, others in by_first.items():
            behind.setdefault(first, []).append(f"(?:{'|'.join(others)}){rest}")
    return "|".join(f"{re.escape(first)}(?:{'|'.join(forms)})" for first, forms in behind.items())


_KEYS = re.compile(
    f"(?=[$AC-HLMNPSa-prstv-y]){_BEGIN}(?:{_keys()})"
    # What has its sign behind a number, or in the middle: Telegram, Mailchimp, Mailgun, HCP Terraform, Microsoft Entra,
    # Discord.
    r"|(?:(?<![A-Za-z0-9])|(?<=/bot))\d{6,12}:[\w-]{35}(?![\w-])"
    r"|(?<![\w-])(?:[0-9a-f]{32}-(?:us\d{1,2}|[0-9a-f]{8}-[0-9a-f]{8})(?![\w-])|[A-Za-z0-9]{14}\.atlasv1\.[\w-]{30,}"
    r"|[\w~.-]{3}\dQ~[\w~.-]{31,34}(?![\w~-])|[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,40}(?![\w-]))"
)
_WEBHOOK = re.compile(
    r"(?<=/)T[A-Z0-9]{6,24}/B[A-Z0-9]{6,24}/\w{8,64}"
    r"|(?<=hooks\.slack\.com/)(?:services|workflows|triggers)/[\w/-]+"
    r"|(?<=/api/webhooks/)\d{10,22}/[\w-]{20,}|(?<=webhook\.office\.com/webhookb2/)[\w@/-]+"
    r"|(?<=hooks\.zapier\.com/hooks/catch/)[\w/]+|(?<=events\.pagerduty\.com/integration/)\w+"
)
_SIGNED_QUERY = re.compile(
    r"([?&;](?:X-Amz-(?:Signature|Credential|Security-Token)|Signature|sig)=)[^&\s\"'<>]+", re.I
)
# On command lines, with up to 200 characters between a program and its option. A variable of the shell is no password.
_WITH_OPTION = {
    r"(?:mysql|mariadb)\w{0,12}": r"-p(?!assword|rotocol|ort\b|lugin)",
    r"(?:redis-cli|valkey-cli)": r"(?:-a|--pass)\s{1,3}",
    r"(?:sshpass|cqlsh|beeline|mongo\w{0,9}|rabbitmqadmin|docker\slogin|podman\slogin|helm\sregistry\slogin|az\slogin)":
        r"-p\s{0,3}",
    r"ldap\w{3,8}": r"-w\s{0,3}",
    r"(?:sqlcmd|bcp|mosquitto_[ps]ub|ipmitool|zip|unzip)": r"-P\s{0,3}",
    r"(?:plink|pscp|psftp|putty)": r"-pw\s{1,3}",
    r"keytool": r"-(?:src|dest)?(?:store|key)pass\s{1,3}",
    r"openssl": r"(?:-pass(?:in|out)?\s{1,3}pass:|-k\s{1,3})",
    r"htpasswd": r"-\w{0,4}b\w{0,4}\s{1,3}\S{1,100}\s{1,3}\S{1,100}\s{1,3}",
    r"(?:curl|wget|https?|xh)": r"(?:-u|-U|-a|--user|--proxy-user|--auth)[\s=]{0,3}[\"']?[^\s:\"']{1,64}:(?!//)",
    r"smbclient": r"-U\s{0,3}[^\s%]{1,64}%",
    r"aws\sconfigure\sset": r"\w{0,30}(?:secret|token)\w{0,30}\s{1,3}",
    r"(?:echo|printf)": r"[\"']?[\w.-]{1,32}:(?=[^\n|]{1,100}\|\s?(?:sudo\s)?chpasswd)",
}  # fmt: skip
_TYPED = re.compile(
    "((?<![\\w.-])(?:"
    + "|".join(rf"{name}(?=\s)[^\n]{{0,200}}?\s{option}" for name, option in _WITH_OPTION.items())
    # What people write to one another.
    + r"|(?:PIN|OTP|TAN|CVV|CVC)(?:\s(?:code|is))?\s?[:=]?\s?(?=\d{3,8}(?![\w.]))"
    r"|(?:and|with|user(?:name)?\s\S{1,40}|login\s\S{1,40}),?\spass:?\s(?=\S{0,30}[\d!@#$%^&*])(?=\S{4})"
    r"|vault\slogin\s{1,3}|machine\s\S{1,100}\s{1,9}login\s\S{1,100}\s{1,9}password\s{1,9}"
    r"))(?![$*<{]|-\w)(?:\"[^\"\n]+|'[^'\n]+|[^\s\"']+)",
)

# In the next line only where that is indented, as in folded YAML, and no field: else these words end their line.
_SCHEME = re.compile(
    r"(?<![\w-])(bearer|basic)((?:[^\S\r\n]|%20|\+){1,4}|[ \t]?\r?\n[ \t]{1,40}(?![\w.-]{1,64}:))"
    r"([A-Za-z0-9._~+/=-]{8,})",
    re.I,
)
_PROSE = re.compile(r"[A-Za-z]?[a-z]{0,15}[.]?")
"""What follows these words in a sentence, as in "basic authentication failed."."""

# To the last "@" before white space, a quote or the next scheme, and over a scheme that comes before the first "@": an
# "@", a "/" or a "://" may stand in a password as it is. A port is no password, and a digest no host.
_URL = re.compile(
    r"((?:(?<=://)|(?<=:\\/\\/))[^\s:/@?#\"'<>\[]*:)(?!\d{1,5}(?:[/?#]|\\/|[,;][\w+.-]+:(?://|\\/\\/)))"
    r"(?:[^\s\"'<>@]{0,400}(?=@))?(?:[^\s\"'<>:]|:(?!//|\\/\\/))*(?=@(?!sha256:))"
)
_ENCODED_URL = re.compile(
    r"((?<=%3[aA]%2[fF]%2[fF])[^\s:/@?#\"'<>%]*(?::|%3[aA]))(?!\d{1,5}%2[fF])"
    r"(?:(?:[^\s\"'<>%&]|%(?!40)){0,400}(?=%40))?(?:[^\s\"'<>%&]|%(?!3[aA]%2[fF]%2[fF]))*(?=%40)"
)
# Without a scheme: what has an "@" in its password, or goes on after its host.
_LOGIN = re.compile(
    r"(?<![\w/.@:%+-])([\w.+-]{1,64}:)(?!//)(?:(?:[^\s\"'<>@/]{0,200}@){1,8}[^\s\"'<>@/]{0,200}"
    r"|[^\s\"'<>@/]{1,200}(?=@(?:[\w.-]{1,253}(?::\d|/\w)|(?:\d{1,3}\.){3}\d|localhost|tcp\(|unix\()))"
    r"(?=@(?!sha256:))"
)

_PEM = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PUTTY = re.compile(
    r"(Private-Lines: \d{1,3}\s{1,2})(?:[A-Za-z0-9+/=]{1,80}\s{1,2}){1,200}|(Private-MAC: )[0-9a-f]{32,}"
)
_PEM_BODY = re.compile(r"(?:[A-Za-z0-9+/=\s]|\\[nr])*")
_PEM_WORD = re.compile(r"[A-Za-z0-9+/=]*")
_PEM_SPACE = re.compile(r"(\s+|\\[nr])")
_PEM_LINE = 40
"""Shorter words of base64 are the last of a key, or words."""


def blank_forms(text: str) -> str:
    text = _PUTTY.sub(rf"\1\2{BLANK} ", _blank_private_keys(text))
    text = _ENCODED_URL.sub(rf"\1{BLANK}", _URL.sub(rf"\1{BLANK}", text))
    text = _LOGIN.sub(rf"\1{BLANK}", text)
    text = _KEYS.sub(BLANK, text)
    text = _WEBHOOK.sub(BLANK, text)
    text = _SIGNED_QUERY.sub(rf"\1{BLANK}", text)
    text = _TYPED.sub(rf"\1{BLANK}", text)
    return _SCHEME.sub(_blank_scheme, text)


def _blank_scheme(result: re.Match[str]) -> str:
    if _PROSE.fullmatch(result[3]) or set(result[3]) == {"*"}:
        return result[0]
    return f"{result[1]}{result[2]}{BLANK}"


def _blank_private_keys(text: str) -> str:
    """Also one whose end was cut off, and the end of one whose beginning was."""
    remaining: list[str] = []
    place, opened = 0, -1
    for match in _PEM.finditer(text):
        if match[1] == "BEGIN":
            opened = match.start() if opened < 0 else opened
            continue
        before = text[place:opened] if opened >= 0 else _without_key(text[place : match.start()])
        remaining += [before, BLANK]
        place, opened = match.end(), -1
    if opened >= 0:
        body = _PEM_BODY.match(text, text.index("KEY", opened) + len("KEY-----"))
        remaining += [text[place:opened], BLANK]
        place = body.end() if body else len(text)
    return "".join([*remaining, text[place:]])


def _without_key(text: str) -> str:
    """Without the words of base64 that it ends with."""
    words = _PEM_SPACE.split(text)
    least = 0
    while words and _PEM_WORD.fullmatch(words[-1]) and len(words[-1]) >= least:
        least = _PEM_LINE if words.pop() else least
        while words and _PEM_SPACE.fullmatch(words[-1]):
            words.pop()
    return "".join(words)
