"""Traces to replay: random walks of the model, and counterexamples as far as they go with their guard back in."""

import random
import typing as t

from .model import ONE_CALL, Model, Move, Script, start
from .replay import Replay

BEYOND = ("check.kept", "fails", "undo.read", "undo.check", "undo.blind", "undo.patch")
"""Steps that are not replayed: the replay lets six seconds pass between steps, and every pod is well."""

WRITTEN = tuple(one.replace("read", "write") for one in ONE_CALL)
"""Steps of their own only where a guard is gone."""


def replay(
    model: Model, moves: t.Iterable[Move], *, services: int, crashes: int, troubles: int = 0
) -> int:
    """How many of the moves were taken: up to the first that the model, with all its guards, does not have."""
    state = start(model.scripts, services, crashes, troubles)
    product, taken = Replay(model, services), 0
    for move in moves:
        if move[1] in WRITTEN:
            continue
        if move not in set(model.moves(state)) or move[1] in BEYOND:
            break
        after = model.step(state, move)
        product.step(state, move, after)
        state, taken = after, taken + 1
    return taken


def walk(seed: int, scripts: t.Sequence[Script], *, services: int, crashes: int) -> list[Move]:
    """One random walk to its end. Runs take several steps in a row, or each would wait for a lock all the time."""
    chance, model = random.Random(seed), Model(scripts)
    moves: list[Move] = []
    state, who = start(scripts, services, crashes, 0), 0
    while able := [one for one in model.moves(state) if one[1] not in BEYOND]:
        own = [one for one in able if one[0] == who and one[1] not in ("crash", "pause")]
        move = chance.choice(own if own and chance.random() < 0.8 else able)
        who = move[0]
        state = model.step(state, move)
        moves.append(move)
    return moves
