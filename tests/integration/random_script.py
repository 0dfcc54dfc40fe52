"""SQL by chance, and names with every printable character in them; the same seed makes the same."""

import random
import typing as t
from dataclasses import dataclass, field

_LETTERS = "".join(map(chr, range(32, 127))) + "\n\té尺🙂Ω"


@dataclass
class RandomScript:
    """`roles` own parts of what `sql` makes and are the server's."""

    seed: int
    tables: int
    roles: list[str] = field(default_factory=list)
    sql: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)
        self._count = 0
        self._keyed: list[tuple[str, str]] = []
        self.enum = self.domain = self.composite = self.function = self.trigger = ""
        self.roles = [f"role_{self.seed}_{n} {self._word(4)}".strip() for n in range(3)]
        self.schemas = ["public", *(self.name(12) for _n in range(self._dice.randint(1, 3)))]

    def add(self, statement: str) -> None:
        self.sql.append(statement)

    def name(self, longest: int = 40) -> str:
        """One that no other object has. A few are all that a name may be."""
        self._count += 1
        return f"{self._word(self._dice.randint(0, longest))}{self._count}"

    def place(self) -> str:
        """A new name in some schema, as SQL wants it."""
        return f"{quoted(self._one(self.schemas))}.{quoted(self.name())}"

    def _word(self, length: int) -> str:
        return (
            "".join(self._dice.choice(_LETTERS) for _n in range(length))
            .encode()[:50]
            .decode("utf-8", "ignore")
        )

    def _one(self, of: t.Sequence[t.Any]) -> t.Any:
        return self._dice.choice(of)

    def _perhaps(self, chance: float = 0.5) -> bool:
        return self._dice.random() < chance

    def _owned(self, kind: str, what: str) -> None:
        if self._perhaps(0.3):
            self.add(f"ALTER {kind} {what} OWNER TO {quoted(self._one(self.roles))}")
        if self._perhaps(0.3):
            self.add(f"COMMENT ON {kind} {what} IS {literal(self._word(20) + 'x')}")


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"
