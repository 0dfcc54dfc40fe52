"""The collection's own playbooks in the simulated world, by Ansible's own engine, where each task fails once."""

import importlib
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
COLLECTIONS = ROOT / "playbooks" / "collections"
PLUGINS = "ansible_collections.easymo.deploy.plugins"

os.environ["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")
os.environ["ANSIBLE_COLLECTIONS_PATH"] = str(COLLECTIONS)
os.environ["ANSIBLE_CALLBACKS_ENABLED"] = "easymo.deploy.arguments"
sys.path.insert(0, str(COLLECTIONS))
# Before anything of the product is imported: without it that would be another module than Ansible's own of the file.
importlib.import_module("ansible.plugins.loader").init_plugin_loader()
for kind in ("action", "callback", "filter", "modules"):
    for file in sorted((ROOT / "plugins" / kind).glob("*.py")):
        importlib.import_module(f"{PLUGINS}.{kind}.{file.stem}")
