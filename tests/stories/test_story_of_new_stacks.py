"""Two stacks that this project has never deployed: from what runs to an inventory, to a release, to a crash and back.

One is like Google's Online Boutique: most of its services are asked by gRPC, and each container is called "server". The
other has a StatefulSet, an autoscaler, two workers without a port, and a database that is named by a Secret alone.
"""

import json
import re
from pathlib import Path

import pytest

from tests.stories.people import Operator, Run, Witness
from tests.stories.test_story_of_another_stack import SHORT

pytestmark = pytest.mark.nightly

STACKS = Path(__file__).parents[1] / "stacks"
ONE_POD = (
    'path={range .items[*]}{.metadata.name}={.spec.template.spec.containers[0].image}{"\\n"}{end}'
)
DECISIONS = {
    "migration_rehearsal_kind": "sql",
    "database_restore_method": "swap",
    "database_name": "books",
    "database_user": "books",
    "release_sql_migrations": str(STACKS / "books/migrations"),
}
"""What a person fills in, of what the sandbox does not have in its place."""


def decide(inventory: Path, version: str) -> None:
    for path in inventory.rglob("*.yml"):
        text = path.read_text(encoding="utf-8")
        for name, value in {**DECISIONS, "release_version": version}.items():
            text = re.sub(rf"^( *{name}): .*$", rf'\1: "{value}"', text, flags=re.M)
        path.write_text(text, encoding="utf-8")


# No .yaml, of which ansible-test wants a single document each.
@pytest.mark.parametrize(
    ("name", "manifest", "rolled", "crashing", "left"),
    [
        ("boutique", "kubernetes-manifests.txt", 10, "cartservice", "loadgenerator"),
        ("books", "k8s.txt", 4, "indexer", "search"),
    ],
)
def test_it_is_started_released_broken_and_taken_back(
    operator: Operator, world, tmp_path, name, manifest, rolled, crashing, left
):
    witness, inventory = Witness(world), tmp_path / "mine"

    def images() -> dict[str, str]:
        printed = witness.kubectl("-n", name, "get", "deployments", "-o", f"json{ONE_POD}")
        pairs = (line.partition("=")[::2] for line in printed.splitlines())
        return {service: image.rpartition(":")[2] for service, image in pairs}

    def plays(playbook: str, *arguments: str) -> Run:
        overlay = world.facts("hosted")[name]["inventory"]
        short = json.dumps({key: value for key, value in SHORT.items() if "watch" in key})
        given = ("-i", overlay, "-e", short, "-e", "rolling_update_soak=0", *arguments)
        return operator.of(inventory).plays(playbook, *given)

    def prepared(version: str) -> dict[str, str]:
        decide(inventory, version)
        hosted = operator.sandbox("host", str(inventory))
        assert hosted.rc == 0, hosted.tail()
        return {service: tag for service, tag in images().items() if tag != "alpine"}

    there = operator.sandbox(
        "host", "--manifests", str(STACKS / name / manifest), "--namespace", name
    )
    assert there.rc == 0, there.tail()
    kubeconfig = world.facts("kubernetes")["kubeconfig"]
    start = (
        "init_namespace=" + name,
        f"init_directory={inventory}",
        f"init_kubeconfig={kubeconfig}",
    )
    given = [word for variable in start for word in ("-e", variable)]
    for changed in (True, False):
        made = operator.plays("init", *given)
        assert made.rc == 0, made.tail()
        assert any(made.changed().values()) is changed
    written = sorted(path for path in inventory.rglob("*") if path.is_file())
    assert len(written) == 2
    assert left in written[1].read_text(encoding="utf-8")

    before = prepared("9.1.0")
    ready = plays("readiness")
    assert ready.rc == 0, ready.tail()
    released = plays("deploy")
    assert released.rc == 0, released.tail()
    assert sum(tag == "v9.1.0" for tag in images().values()) == rolled

    assert prepared("9.2.0").keys() == before.keys()
    operator.sandbox("fault", "set", "node.crash-loop", crashing)
    broken = plays("deploy")
    operator.sandbox("fault", "clear")
    assert broken.rc != 0
    assert images()[crashing] == "v9.1.0"
    back = plays("rollback", "-e", "by=ann", "-e", f"reason='{crashing} crashes'")
    assert back.rc == 0, back.tail()
    assert sum(tag == "v9.1.0" for tag in images().values()) == rolled
