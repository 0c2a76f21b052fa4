# SPDX-License-Identifier: GPL-2.0-or-later
"""What sections inherit from those that they refer to (strongswan.conf(5), REFERENCING)."""

from collections.abc import Collection, Iterator, Sequence

from ike.config.section import Section
from ike.errors import ConfigError

_MOST = 1000
"""Sections that one inherits from, over all."""
_DEEPEST = 16
"""Sections in each other; one that inherits what it is in would never end."""


def resolve(root: Section, kept: Collection[str] = ()) -> Section:
    """All sections with what they inherit.

    Args:
        kept: Sections at the root that are no mere templates, whoever inherits from them. Others
            from which something is inherited are left out.

    Raises:
        ConfigError: A reference names no section, or leads back to itself.
    """
    references = [name for section in _every(root) for name in section.references]
    templates = {name.partition(".")[0] for name in references}.difference(kept)
    resolved = _merged([root], root, 0)
    for name in templates & resolved.sections.keys():
        del resolved.sections[name]
    return resolved


def _every(section: Section) -> Iterator[Section]:
    yield section
    for inner in section.sections.values():
        yield from _every(inner)


def _merged(layers: Sequence[Section], root: Section, depth: int) -> Section:
    """One section from several: the first one that has a value counts."""
    first = layers[0]
    if depth > _DEEPEST:
        raise _error(first, f"more than {_DEEPEST} sections in each other")
    merged = Section(first.name, first.line, first.source)
    inner: dict[str, list[Section]] = {}
    for layer in layers:
        for key, entry in layer.values.items():
            merged.values.setdefault(key, entry)
        for name, section in layer.sections.items():
            inner.setdefault(name, []).extend(_layers(section, root, ()))
    merged.sections = {name: _merged(each, root, depth + 1) for name, each in inner.items()}
    return merged


def _layers(section: Section, root: Section, via: tuple[Section, ...]) -> list[Section]:
    """A section, and those that it inherits from, the nearest first."""
    if section in via:
        raise _error(section, f"{section.name} inherits from itself")
    layers = [section]
    for reference in section.references:
        layers += _layers(_named(reference, root, section), root, (*via, section))
        if len(layers) > _MOST:
            raise _error(section, f"{section.name} inherits from more than {_MOST} sections")
    return layers


def _named(reference: str, root: Section, by: Section) -> Section:
    """The section of an absolute name."""
    section = root
    for name in reference.split("."):
        if name not in section.sections:
            raise _error(by, f"{by.name} inherits from {reference}, which is not there")
        section = section.sections[name]
    return section


def _error(section: Section, reason: str) -> ConfigError:
    return ConfigError(f"{section.source}:{section.line}: {reason}")
