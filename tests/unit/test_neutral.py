"""No role, plugin or playbook knows one application: what is EasyMO's stands in its inventories."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
APPLICATION = re.compile(
    r"(?i)easymo|whats ?app|\bwa[-_](?:webhook|verify|app)|\bAI[ -]agents?\b"
    r"|agent[-_](?:core|sessions|requests|metrics|fallbacks)|FEATURE_AI"
)
EXCEPTIONS = (
    # The collection's own name, and its maintainers' namespace.
    r"easymo[./]deploy\b",
    r"\(@easymo\)",
    # Settings of the callbacks, which people have in their environment and ansible.cfg.
    r"EASYMO_DEPLOY_[A-Z_]+",
    r"callback_easymo_[a-z]+",
    # On objects that are in clusters already: field manager, lock, annotations; and the names of programs in logs.
    r"easymo-deploy",
    r"easymo\.com/[a-z-]+",
    # Meta's own word in the messages of its webhooks.
    r"whatsapp_business_account",
    # Secrets of an inventory that a webhook is signed with, joined to the roles.
    r"secret_wa_(?:verify_token|app_secret)",
)
EXCEPTION = re.compile("|".join(EXCEPTIONS))


def product() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "plugins", "roles", "playbooks"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_no_role_plugin_or_playbook_names_an_application():
    found = [
        f"{name}:{number}: {line.strip()}"
        for name in product()
        for number, line in enumerate((ROOT / name).read_text("utf-8").splitlines(), start=1)
        if APPLICATION.search(line) and APPLICATION.search(EXCEPTION.sub("", line))
    ]
    assert found == []


def test_every_exception_is_needed():
    text = "\n".join((ROOT / name).read_text("utf-8") for name in product())
    assert [one for one in EXCEPTIONS if not re.search(one, text)] == []
