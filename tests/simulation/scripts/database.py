"""playbooks/database.yml: the databases backed up, their migrations rehearsed, then applied."""

from .rehearsals import rehearse
from .script import Script
from .stores import TASKS, back_up, migrate, on_each, record_points, refuse


def database(script: Script) -> None:
    phase = "database"
    script.begin(phase)
    backups = back_up(script, phase)
    pending = rehearse(script, phase) if script.world.plan.rehearsed else _pending(script)
    record_points(script, phase, pending, backups)
    changed = False
    for kind in TASKS:
        names = [name for name, one in script.world.plan.stores.items() if one == kind]
        migrated = on_each(script, names, lambda name: migrate(script, name))
        refuse(script, phase, migrated)
        changed = changed or any(one["changed"] for one in migrated.values())
    script.close(phase, changed=changed)


def _pending(script: Script) -> list[str]:
    """Of a release that waives the rehearsal."""
    assert script.world.stores is not None
    return [name for name in script.world.plan.stores if script.world.stores.pending(name)]
