"""playbooks/database.yml: the databases backed up, their migrations rehearsed, then applied."""

from .rehearsals import rehearse
from .script import Script
from .stores import back_up, migrate, record_points, refuse


def database(script: Script) -> None:
    phase = "database"
    script.begin(phase)
    backups = back_up(script, phase)
    pending = rehearse(script, phase) if script.world.plan.rehearsed else _pending(script)
    record_points(script, phase, pending, backups)
    changed = False
    for name in script.world.plan.stores:
        migrated = migrate(script, name)
        refuse(script, phase, {name: migrated})
        changed = changed or migrated["changed"]
    script.close(phase, changed=changed)


def _pending(script: Script) -> list[str]:
    """Of a release that waives the rehearsal."""
    assert script.world.stores is not None
    return [name for name in script.world.plan.stores if script.world.stores.pending(name)]
