"""Schemas that nobody designed, 252 tables, come back as they were by every method; `make bench` tries two thousand."""

import typing as t
from pathlib import Path

import pytest

from tests.integration.random_schema import RandomSchema
from tests.integration.round_trip import SETTINGS, Traveller
from tests.integration.throwaway_server import ThrowawayServer

# Few and large, for the programs that dump and restore cost more to start than the tables.
SEEDS = [*range(2), *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(2, 14))]
TABLES = 18


@pytest.fixture(scope="module")
def traveller(world) -> t.Iterator[Traveller]:
    programs = Path(world.facts("postgres")["bin"])
    server = ThrowawayServer(programs, *SETTINGS)
    yield Traveller(server, programs)
    server.stop()


@pytest.mark.parametrize("seed", SEEDS)
def test_what_chance_made_comes_back_as_it_was(traveller, seed):
    traveller.travel(RandomSchema(seed, TABLES))


def test_the_same_seed_makes_the_same_schema():
    assert RandomSchema(7, 20).sql == RandomSchema(7, 20).sql != RandomSchema(8, 20).sql
