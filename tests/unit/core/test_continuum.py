from __future__ import annotations

import pytest

from ecotone.core.continuum import Continuum, Link, NodeType, Site


def _continuum(*links: Link) -> Continuum:
    names = ("camera", "roadside", "cloud", "island")
    sites = tuple(Site(name=name, layer="edge", node_types=(NodeType(name=f"{name}-box"),)) for name in names)
    return Continuum(name="test", sites=sites, links=links)


def _link(a: str, b: str, latency_s: float, bandwidth: float = 1e6) -> Link:
    return Link(between=(a, b), latency_s=latency_s, bandwidth_bytes_per_s=bandwidth)


def test_a_count_numbers_the_nodes_and_one_keeps_its_name() -> None:
    site = Site(name="s", layer="cloud", node_types=(NodeType(name="vm", count=2), NodeType(name="big")))
    assert [node.name for node in Continuum(name="c", sites=(site,)).nodes] == ["vm-1", "vm-2", "big"]


def test_the_route_has_the_least_latency_not_the_fewest_links() -> None:
    direct = _link("camera", "cloud", 0.1)
    first, second = _link("camera", "roadside", 0.01), _link("cloud", "roadside", 0.02)
    assert _continuum(direct, first, second).route("camera", "cloud") == (first, second)


def test_equal_ways_are_taken_in_the_order_of_the_file() -> None:
    one, other = _link("camera", "cloud", 0.1), _link("camera", "cloud", 0.1, bandwidth=5.0)
    assert _continuum(one, other).route("cloud", "camera") == (one,)


def test_no_way_is_none_and_staying_is_free() -> None:
    continuum = _continuum(_link("camera", "roadside", 0.01))
    assert continuum.route("camera", "island") is None
    assert continuum.transfer_s("camera", "island", 1.0) is None
    assert continuum.transfer_s("camera", "camera", 1e9) == 0


def test_every_link_of_the_way_charges_bandwidth_and_latency() -> None:
    continuum = _continuum(_link("camera", "roadside", 0.01, 1e6), _link("roadside", "cloud", 0.02, 2e6))
    assert continuum.transfer_s("camera", "cloud", 1e6) == pytest.approx(0.01 + 1.0 + 0.02 + 0.5)
