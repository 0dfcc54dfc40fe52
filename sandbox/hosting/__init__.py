# SPDX-License-Identifier: GPL-3.0-or-later
"""`host`: another team's stack in a sandbox that is up, as its inventory and its manifests describe it.

inventory.py    what the inventory says, as Ansible reads it
objects.py      what is in the cluster before the release, and the images
databases.py    the databases, migrated as far as before the release
overlay.py      a second inventory, which leads everything of the first one into the sandbox
command.py      all of them, in order
"""
