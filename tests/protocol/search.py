"""Every state that a model can come to, breadth first, so that a counterexample is the shortest one."""

import gc
import time
import typing as t
from dataclasses import dataclass

from .model import PRODUCT, Model, Move, State, Violation, start


@dataclass(frozen=True)
class Found:
    """`broken`: the guarantee, "" for none; `trace`: what led there. `exhausted`: whether nothing was left to try."""

    states: int
    depth: int
    seconds: float
    exhausted: bool
    broken: str = ""
    trace: tuple[Move, ...] = ()


def search(model: Model, *, services: int, crashes: int, troubles: int) -> Found:
    # Millions of tuples and no cycle among them: a collector would look through all of them again and again.
    gc.disable()
    try:
        return _search(model, start(model.scripts, services, crashes, troubles))
    finally:
        gc.enable()


def _search(model: Model, first: State) -> Found:
    began = time.process_time()
    # By hash, for a state is a hundred times as large, and two of a million are alike once in a million searches.
    came: dict[int, tuple[int, Move] | None] = {hash(first): None}
    edge, depth = [first], 0
    while edge:
        further: list[State] = []
        for state in edge:
            here = hash(state)
            for move in model.moves(state):
                try:
                    after = model.step(state, move)
                except Violation as exc:
                    trace = (*_trace(came, here), move)
                    return Found(
                        len(came), depth + 1, time.process_time() - began, False, str(exc), trace
                    )
                key = hash(after)
                if key not in came:
                    came[key] = (here, move)
                    further.append(after)
        edge, depth = further, depth + 1
    return Found(len(came), depth - 1, time.process_time() - began, exhausted=True)


def _trace(came: t.Mapping[int, tuple[int, Move] | None], at: int) -> list[Move]:
    moves: list[Move] = []
    while (step := came[at]) is not None:
        at, move = step
        moves.append(move)
    return moves[::-1]


def tell(model: Model, found: Found) -> str:
    """A trace for people: who, what, and by which function of the product."""
    names = [
        f"{one.kind} {'ABC'[one.release - 1]} ({who})" for who, one in enumerate(model.scripts)
    ]
    lines = [
        f"{number:3}  {names[who]:14}  {name:12}  {PRODUCT[name]}"
        for number, (who, name) in enumerate(found.trace, 1)
    ]
    return "\n".join([*lines, f"     broken: {found.broken}"])
