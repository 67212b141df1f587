"""The continuum reader: from a YAML file to a `core.continuum.Continuum`, every mistake with its place.

Called by `check` and by the session. Only YAML is read: TOML's reader keeps no positions, and a mistake without a line
is half a message. docs/reference/continuum.md describes the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ecotone.core.continuum import Continuum, Device, Link, NodeType, Site, Trust
from ecotone.core.errors import InputError
from ecotone.core.ids import is_name
from ecotone.core.problems import Place, Problem, did_you_mean
from ecotone.core.units import Dimension
from ecotone.design._fields import (
    Convert,
    Field,
    Fields,
    choice,
    flag,
    integer,
    mapping_of_text,
    name,
    number,
    quantity,
    read_fields,
    text,
)
from ecotone.design._keywords import LAYERS
from ecotone.design._machine_fields import calibration, power
from ecotone.design._written import BROKEN, Mistakes, Pairs, Written, plain
from ecotone.design._yaml import read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DEFAULT_CONTINUUM", "ContinuumResult", "read_continuum"]

DEFAULT_CONTINUUM = Path(__file__).with_name("default_continuum.yaml")
NODES_MAX = 20_000


class ContinuumResult(msgspec.Struct, frozen=True, kw_only=True):
    """What reading a continuum gave: `continuum` is None when there is any problem; `problems` sorted by place."""

    continuum: Continuum | None
    problems: tuple[Problem, ...]
    file: Path

    def require(self) -> Continuum:
        """The continuum.

        Raises:
            InputError: it has mistakes; `problems` are all of them.
        """
        if self.continuum is None:
            count = len(self.problems)
            raise InputError(f"{count} mistake{'s' if count > 1 else ''} in {self.file}", self.problems)
        return self.continuum


def read_continuum(file: str | Path | None = None) -> ContinuumResult:
    """Read a continuum file; None reads the default one. Raises nothing for a wrong file."""
    path = DEFAULT_CONTINUUM if file is None else Path(file)
    mistakes = Mistakes()
    continuum = None
    if path.suffix.lower() == ".toml":
        message = "a continuum is written in YAML: TOML's reader does not say where a mistake is"
        mistakes.add(Place(str(path)), "not-yaml", message, "write it as a .yaml file")
    elif path.is_dir():
        mistakes.add(Place(str(path)), "not-readable", "it is a folder", "name a .yaml file")
    else:
        written = read_yaml(path, mistakes)
        if written is not None:
            continuum = _continuum(written, path, mistakes)
    problems = mistakes.problems
    return ContinuumResult(continuum=None if problems else continuum, problems=problems, file=path)


# Conversions of the file's own parts


def _as_written(_what: str, written: Written, _mistakes: Mistakes) -> Any:
    """Read later, when more is known."""
    return written


def _mapping(table: Mapping[str, Field], make: type[Any], of: str) -> Convert:
    """A mapping with the keys of `table`, as a core value."""

    def convert(what: str, written: Written, mistakes: Mistakes) -> Any:
        pairs = Pairs(()) if written.value is None else written.value
        if not isinstance(pairs, Pairs):
            return _wrong_type(written, f"{what}: expected a mapping, got {plain(written)!r}", mistakes)
        fields = read_fields(pairs, table, mistakes, place=written.place, of=of)
        return BROKEN if fields.broken else make(**_by_attribute(fields, table))

    return convert


def _by_attribute(fields: Fields, table: Mapping[str, Field]) -> dict[str, Any]:
    return {table[label].goes: value for label, value in fields.values.items()}


def _wrong_type(written: Written, message: str, mistakes: Mistakes) -> Any:
    mistakes.add(written.place, "wrong-type", message)
    return BROKEN


def _labels(what: str, written: Written, mistakes: Mistakes) -> Any:
    """Labels are text; `camera: 1` and `camera: true` mean "1" and "true"."""
    if not isinstance(written.value, Pairs):
        return mapping_of_text(what, written, mistakes)
    entries = tuple((key, Written(_as_text(each.value), each.place)) for key, each in written.value.entries)
    return mapping_of_text(what, Written(Pairs(entries), written.place), mistakes)


def _as_text(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (int, float)) else value


def _devices(what: str, written: Written, mistakes: Mistakes) -> Any:
    if not isinstance(written.value, Pairs):
        return _wrong_type(written, f"{what}: expected devices by kind, got {plain(written)!r}", mistakes)
    devices, sound = _named(written.value, _DEVICE, mistakes, of="device")
    return BROKEN if not sound else tuple(Device(kind=kind, **each) for kind, _, each in devices)


_DEVICE = {
    "count": Field(integer(1, 1000), "count"),
    "memory": Field(quantity(Dimension.SIZE), "memory_bytes"),
}
_TRUST = {"attested": Field(flag, "attested")}
_NODE = {
    "count": Field(integer(1, 10_000), "count"),
    "cores": Field(integer(1, 4096), "cores"),
    "speed": Field(number(0.0, 1000.0), "speed"),
    "memory": Field(quantity(Dimension.SIZE), "memory_bytes"),
    "devices": Field(_devices, "devices"),
    "labels": Field(_labels, "labels"),
    "price": Field(quantity(Dimension.PRICE_PER_HOUR, zero=True), "price_eur_per_h"),
    "power": Field(power, "power"),
    "calibration": Field(calibration, "calibration"),
}
_SITE = {
    "layer": Field(choice("layer", LAYERS), "layer", required=True),
    "region": Field(text, "region"),
    "trust": Field(_mapping(_TRUST, Trust, "trust"), "trust"),
    "nodes": Field(_as_written, required=True),
}


def _ends(what: str, written: Written, mistakes: Mistakes) -> Any:
    ends = written.value
    if not isinstance(ends, tuple) or len(ends) != 2 or not all(isinstance(each.value, str) for each in ends):
        return _wrong_type(written, f"{what}: expected two sites such as [camera, roadside]", mistakes)
    if ends[0].value == ends[1].value:
        message = f"{what}: {ends[0].value} cannot be linked to itself"
        mistakes.add(ends[1].place, "self-link", message, "name two sites")
        return BROKEN
    return (ends[0].value, ends[1].value)


_LINK = {
    "between": Field(_ends, "between", required=True),
    "latency": Field(quantity(Dimension.DURATION, zero=True), "latency_s", required=True),
    "bandwidth": Field(quantity(Dimension.BANDWIDTH), "bandwidth_bytes_per_s", required=True),
    "price": Field(quantity(Dimension.PRICE_PER_BYTE, zero=True), "price_eur_per_byte"),
}
_CONTINUUM = {
    "name": Field(name, "name"),
    "emulated": Field(flag, "emulated"),
    "sites": Field(_as_written, required=True),
    "links": Field(_as_written),
}


# The whole file


def _continuum(written: Written, file: Path, mistakes: Mistakes) -> Continuum | None:
    if not isinstance(written.value, Pairs):
        _wrong_type(written, "a continuum file is a mapping with sites and links", mistakes)
        return None
    fields = read_fields(written.value, _CONTINUUM, mistakes, place=written.place, of="a continuum")
    emulated = fields.values.get("emulated", True)
    reader = _Reader(mistakes, emulated="emulated" not in fields.broken and emulated)
    sites = reader.sites(fields.values.get("sites"))
    links = reader.links(fields.values.get("links"))
    reader.check_reach(certain="links" not in fields.broken)
    own = fields.values.get("name") or (file.stem if is_name(file.stem) else "continuum")
    return Continuum(name=own, sites=tuple(sites), links=tuple(links), emulated=emulated)


class _Reader:
    """Reads sites, then links; remembers what is needed to judge the whole."""

    def __init__(self, mistakes: Mistakes, *, emulated: bool) -> None:
        self.mistakes = mistakes
        self.emulated = emulated
        self.site_places: dict[str, Place] = {}
        self.node_places: dict[str, Place] = {}
        self.linked: dict[tuple[str, ...], Place] = {}
        self.links_sure = True

    def sites(self, written: Written | None) -> list[Site]:
        if written is None:
            return []
        if not isinstance(written.value, Pairs):
            _wrong_type(written, f"sites: expected sites by name, got {plain(written)!r}", self.mistakes)
            self.links_sure = False
            return []
        if not written.value.entries:
            self.mistakes.add(written.place, "no-site", "there is no site", "name at least one under sites:")
        found: list[Site] = []
        for key, each in written.value.entries:
            site = self._site(key, each)
            if site is not None:
                found.append(site)
        return found

    def _site(self, key: Written, written: Written) -> Site | None:
        site_name = _new_name("site", key, self.site_places, self.mistakes)
        pairs = Pairs(()) if written.value is None else written.value
        if not isinstance(pairs, Pairs):
            return _none(_wrong_type(written, f"site {key.value}: expected a mapping", self.mistakes))
        of = f"site {key.value}"
        fields = read_fields(pairs, _SITE, self.mistakes, place=key.place, of=of)
        nodes = self._node_types(fields.values["nodes"], of) if "nodes" in fields.values else None
        if site_name is None or nodes is None or fields.broken:
            return None
        values = {_SITE[label].goes: value for label, value in fields.values.items() if label != "nodes"}
        return Site(name=site_name, node_types=nodes, **values)

    def _node_types(self, written: Written, of: str) -> tuple[NodeType, ...] | None:
        if not isinstance(written.value, Pairs):
            return _none(_wrong_type(written, f"{of}: expected nodes by name, got {plain(written)!r}", self.mistakes))
        if not written.value.entries:
            self.mistakes.add(written.place, "no-node", f"{of} has no node", "name at least one under nodes:")
        types, sound = _named(written.value, _NODE, self.mistakes, of="node")
        for type_name, place, values in types:
            self._number_nodes(type_name, place, values.get("count", 1))
        for key, each in written.value.entries:
            self._check_speed(key, each)
        return tuple(NodeType(name=each, **values) for each, _, values in types) if sound else None

    def _number_nodes(self, type_name: str, place: Place, count: int) -> None:
        if len(self.node_places) + count > NODES_MAX:
            message = f"there are more than {NODES_MAX} nodes"
            self.mistakes.add(place, "out-of-range", message, "describe fewer")
            return
        for which in range(1, count + 1):
            node = type_name if count == 1 else f"{type_name}-{which}"
            if node in self.node_places:
                line = self.node_places[node].line
                message = f"there are two nodes {node!r}: the first is on line {line}"
                self.mistakes.add(place, "duplicate-name", message, "names of nodes are unique in the whole continuum")
                return
            self.node_places[node] = place

    def _check_speed(self, key: Written, written: Written) -> None:
        """Emulation pads, it cannot hurry."""
        entries = written.value.entries if isinstance(written.value, Pairs) else ()
        speed = next((each for label, each in entries if label.value == "speed"), None)
        if self.emulated and speed is not None and isinstance(speed.value, (int, float)) and 1 < speed.value < 1000:
            message = f"speed: {key.value} says {speed.value}, but no emulated node is faster than this machine (1.0)"
            hint = "divide all speeds by the largest, or say emulated: false"
            self.mistakes.add(speed.place, "faster-than-real", message, hint)

    def links(self, written: Written | None) -> list[Link]:
        if written is None:
            return []
        if not isinstance(written.value, tuple):
            _wrong_type(written, f"links: expected a list, got {plain(written)!r}", self.mistakes)
            self.links_sure = False
            return []
        found = [self._link(each) for each in written.value]
        return [each for each in found if each is not None]

    def _link(self, written: Written) -> Link | None:
        if not isinstance(written.value, Pairs):
            self.links_sure = False
            return _none(_wrong_type(written, f"links: expected a mapping, got {plain(written)!r}", self.mistakes))
        fields = read_fields(written.value, _LINK, self.mistakes, place=written.place, of="a link")
        if "between" in fields.values:
            self._check_ends(fields)
        else:
            self.links_sure = False
        return None if fields.broken else Link(**_by_attribute(fields, _LINK))

    def _check_ends(self, fields: Fields) -> None:
        ends = fields.values["between"]
        for index, end in enumerate(ends):
            if end not in self.site_places:
                message = f"between: there is no site {end!r}"
                place = fields.place_of("between", index)
                self.mistakes.add(place, "unknown-site", message, did_you_mean(end, self.site_places))
                self.links_sure = False
        pair = tuple(sorted(ends))
        if pair in self.linked:
            message = f"{ends[0]} and {ends[1]} are linked twice: first on line {self.linked[pair].line}"
            self.mistakes.add(fields.place("between"), "duplicate-link", message, "one link serves both directions")
        self.linked.setdefault(pair, fields.place("between"))

    def check_reach(self, *, certain: bool) -> None:
        """Every site must be reachable from the first."""
        if not certain or not self.links_sure or not self.site_places:
            return
        first = next(iter(self.site_places))
        reached = [first]
        for here in reached:
            for pair in self.linked:
                if here in pair:
                    reached.extend(each for each in pair if each not in reached)
        for site, place in self.site_places.items():
            if site not in reached:
                message = f"site {site} cannot be reached from {first}"
                self.mistakes.add(place, "unreachable-site", message, f"add a link between {site} and another site")


def _none(_broken: Any) -> None:
    return None


def _new_name(what: str, key: Written, taken: dict[str, Place], mistakes: Mistakes) -> str | None:
    found = name(what, key, mistakes)
    if found is BROKEN:
        taken.setdefault(str(key.value), key.place)  # links may speak of it all the same
        return None
    if found in taken:
        line = taken[found].line
        message = f"there are two {what}s {found!r}: the first is on line {line}"
        mistakes.add(key.place, "duplicate-name", message, "give each its own name")
        return None
    taken[found] = key.place
    return found


def _named(
    pairs: Pairs, table: Mapping[str, Field], mistakes: Mistakes, *, of: str
) -> tuple[list[tuple[str, Place, dict[str, Any]]], bool]:
    """The entries of a mapping from names to mappings, as (name, place, attributes), and whether all were right."""
    found: list[tuple[str, Place, dict[str, Any]]] = []
    taken: dict[str, Place] = {}
    sound = True
    for key, written in pairs.entries:
        own_name = _new_name(of, key, taken, mistakes)
        inner = Pairs(()) if written.value is None else written.value
        if not isinstance(inner, Pairs):
            _wrong_type(written, f"{of} {key.value}: expected a mapping, got {plain(written)!r}", mistakes)
            sound = False
            continue
        fields = read_fields(inner, table, mistakes, place=key.place, of=f"{of} {key.value}")
        if own_name is None or fields.broken:
            sound = False
        if own_name is not None:
            found.append((own_name, key.place, _by_attribute(fields, table)))
    return found, sound
