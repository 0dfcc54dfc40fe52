from dataclasses import dataclass

import pytest

from sandbox.components import COMPONENTS, requirements, select_components, stop_waves
from sandbox.errors import SandboxError


@dataclass
class Named:
    name: str
    needs: tuple[str, ...] = ()
    settles_after: tuple[str, ...] = ()
    settles_with: tuple[str, ...] = ()


ALL = (Named("db"), Named("api"), Named("web", ("api",)), Named("watch", ("web",), ("db",)))


@pytest.mark.parametrize(
    ("only", "names"),
    [
        ((), ["db", "api", "web", "watch"]),
        (("db",), ["db"]),
        (("web",), ["api", "web"]),
        (("watch",), ["db", "api", "web", "watch"]),
    ],
)
def test_what_is_named_brings_what_it_needs(only, names):
    assert [component.name for component in select_components(ALL, only)] == names


def test_an_unknown_component_is_named_with_the_choices():
    with pytest.raises(SandboxError, match=r"'dv'.*db, api, web, watch"):
        select_components(ALL, ["dv"])


def test_what_others_need_stops_last():
    waves = stop_waves({component.name: requirements(component) for component in ALL})
    assert waves == [{"watch"}, {"web"}, {"db", "api"}]


def test_a_need_that_is_not_in_this_run_orders_nothing():
    assert stop_waves({"web": ("api",)}) == [{"web"}]


def test_every_component_needs_only_components_and_no_circle():
    names = {component.name for component in COMPONENTS}
    assert len(names) == len(COMPONENTS)
    for component in COMPONENTS:
        assert set(requirements(component)) <= names
    assert set().union(*stop_waves({c.name: requirements(c) for c in COMPONENTS})) == names


def test_a_port_is_named_after_its_component():
    for component in COMPONENTS:
        for port in component.ports:
            assert port == component.name or port.startswith(f"{component.name}-")
