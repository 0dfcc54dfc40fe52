"""An inventory of version 0.2, and what somebody does with it who reads what readiness says of it."""

import re
import shutil
import typing as t
from pathlib import Path

import yaml

from tests.stories.people import ROOT, Run

OURS = ROOT / "inventories"
OF_0_2: dict[str, t.Any] = yaml.safe_load(
    (Path(__file__).parent / "records" / "inventory_of_0.2.yml").read_text("utf-8")
)
HOSTS = {"prisma": "agent_core_db", "supabase": "supabase_db"}
"""By what migrates it."""


class Inventory:
    """The sandbox's: what 0.2 set, by the names and with the rows of then."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(OURS / "sandbox", folder)
        more = OF_0_2["values"] | OF_0_2["options"]
        self._rename("least_agent_requests", "release_least_agent_requests")
        self._keep(lambda name: name in OF_0_2["names"] and name not in more)
        self._write("own", yaml.safe_dump(more))

    def mend(self, run: Run) -> set[str]:
        """Does what the run says, and returns the old names that it tells of."""
        told = " ".join(run.output.split()).replace("''", "'")
        renamed = dict(re.findall(r"(\w+) \(it is (\w+) now\)", told))
        moved = dict(re.findall(r"(\w+) \(it is (\w+) in migration_options now\)", told))
        gone = set(re.findall(r"(\w+) \(leave it out: ", told))
        for old, new in renamed.items():
            self._rename(old, new)
        self._keep(lambda name: name not in {*gone, *moved})
        for tool, host in HOSTS.items():
            options = {new: OF_0_2["options"][old] for old, new in moved.items() if tool in old}
            with (self.folder / "host_vars" / f"{host}.yml").open("a") as file:
                file.write(yaml.safe_dump({"migration_options": options}) if options else "")
        copied = re.search(r"Copy the files (.*?)\. Copy variables of (.*?)\. ", told)
        if copied:
            for file in copied[1].split(" and "):
                self._write(Path(file).stem, (OURS / file).read_text("utf-8"))
            for file, names in re.findall(r"(\S+): ([\w, ]+)", copied[2]):
                blocks = _blocks((OURS / file).read_text("utf-8"))
                self._write(
                    f"of_{Path(file).stem}", "".join(blocks[name] for name in names.split(", "))
                )
        return {*renamed, *moved, *gone}

    def _files(self) -> t.Iterator[Path]:
        return self.folder.glob("*_vars/**/*.yml")

    def _write(self, name: str, text: str) -> None:
        (self.folder / "group_vars" / "all" / f"{name}.yml").write_text(text, encoding="utf-8")

    def _keep(self, wanted: t.Callable[[str], bool]) -> None:
        for path in self._files():
            blocks = _blocks(path.read_text("utf-8"))
            path.write_text("".join(block for name, block in blocks.items() if wanted(name)))

    def _rename(self, old: str, new: str) -> None:
        for path in self._files():
            path.write_text(re.sub(rf"\b{old}\b", new, path.read_text("utf-8")), encoding="utf-8")


def _blocks(text: str) -> dict[str, str]:
    """The lines of each variable of a file, by its name."""
    return {
        found[1]: found[0] for found in re.finditer(r"^(\w+):.*\n(?:(?:[ #].*)?\n)*", text, re.M)
    }
