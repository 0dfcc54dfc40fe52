# SPDX-License-Identifier: GPL-3.0-or-later
"""Who and what is in the Slack workspace from the start, in the shapes in which Slack tells of them.

All of them are invented. Every person is on PagerDuty too, under the same address.
"""

from __future__ import annotations

from sandbox.sinks.store import Record

TEAM = {"team": "EasyMO", "team_id": "T0EASYMO1"}
URL = "https://easymo.slack.example/"
BOT = "U0DEPLOYER"
MANAGER = "U0MANAGER1"
# Id: user name, name, address, whether it is a program.
USERS = {
    BOT: ("deployer", "Deployer", "deployer@easymo.example", True),
    "U0ONCALL01": ("amina", "Amina Uwase", "amina@easymo.example", False),
    "U0BACKUP01": ("kwame", "Kwame Mensah", "kwame@easymo.example", False),
    MANAGER: ("wanjiru", "Wanjiru Kariuki", "wanjiru@easymo.example", False),
    "U0SUPPORT1": ("grace", "Grace Mutesi", "grace@easymo.example", False),
    "U0PRODUCT1": ("daniel", "Daniel Okello", "daniel@easymo.example", False),
    "U0QUALITY1": ("fatou", "Fatou Diallo", "fatou@easymo.example", False),
    "U0SECURITY": ("tendai", "Tendai Moyo", "tendai@easymo.example", False),
    "U0GONE0001": ("jonas", "Jonas Habimana", "jonas@easymo.example", False),
}
GONE = ("U0GONE0001",)
"""Who left: the account is deactivated."""
# Id: handle, name, members.
GROUPS = {
    "S0ONCALL01": ("on-call", "On-call engineers", ("U0ONCALL01", "U0BACKUP01")),
    "S0DEVOPS01": ("devops", "DevOps", ("U0ONCALL01", "U0BACKUP01", MANAGER)),
    "S0OLDTEAM1": ("v1-team", "Team of v1", ("U0GONE0001",)),
}
DISABLED = ("S0OLDTEAM1",)
CHANNELS = {
    "C0DEPLOY01": "v2-deployment",
    "C0ALERTS01": "engineering-alerts",
    "C0FEEDBAK1": "user-feedback",
    "C0SUPPORT1": "engineering-support",
    "C0DEVOPS01": "devops",
    "C0GENERAL1": "general",
    "C0DEPLOY00": "v1-deployment",
}
NOT_JOINED = ("C0GENERAL1", "C0DEPLOY00")
"""Channels that the deployer is no member of."""
ARCHIVED = ("C0DEPLOY00",)
FOUNDED = 1_735_689_600
"""When all of it was made: 2025-01-01."""


def channel_shape(channel_id: str, name: str) -> Record:
    nothing = {"value": "", "creator": "", "last_set": 0}
    return {
        "id": channel_id,
        "name": name,
        "name_normalized": name,
        "is_channel": True,
        "is_group": False,
        "is_im": False,
        "is_mpim": False,
        "is_private": False,
        "is_archived": channel_id in ARCHIVED,
        "is_general": name == "general",
        "is_shared": False,
        "is_member": channel_id not in NOT_JOINED,
        "created": FOUNDED,
        "creator": MANAGER,
        "topic": nothing,
        "purpose": nothing,
        "previous_names": [],
    }


def user_shape(user_id: str) -> Record:
    name, real_name, email, is_bot = USERS[user_id]
    return {
        "id": user_id,
        "team_id": TEAM["team_id"],
        "name": name,
        "real_name": real_name,
        "deleted": user_id in GONE,
        "tz": "Africa/Nairobi",
        "tz_label": "East Africa Time",
        "tz_offset": 10_800,
        "is_bot": is_bot,
        "updated": FOUNDED,
        "profile": {
            "real_name": real_name,
            "real_name_normalized": real_name,
            "display_name": name,
            "display_name_normalized": name,
            "email": email,
        },
    }


def group_shape(group_id: str, *, users: bool, count: bool) -> Record:
    """A user group, with its members or their number only for who asks."""
    handle, name, members = GROUPS[group_id]
    group: Record = {
        "id": group_id,
        "team_id": TEAM["team_id"],
        "is_usergroup": True,
        "name": name,
        "description": "",
        "handle": handle,
        "is_external": False,
        "date_create": FOUNDED,
        "date_update": FOUNDED,
        "date_delete": FOUNDED + 1 if group_id in DISABLED else 0,
        "auto_type": None,
        "created_by": MANAGER,
        "updated_by": MANAGER,
        "deleted_by": MANAGER if group_id in DISABLED else None,
        "prefs": {"channels": [], "groups": []},
    }
    return (
        group
        | ({"users": list(members)} if users else {})
        | ({"user_count": len(members)} if count else {})
    )
