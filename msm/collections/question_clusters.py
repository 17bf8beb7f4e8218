"""Clusters: questions about one text are easy or hard together, so chance draws them together."""

from collections.abc import Iterable


def connected(links: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the name of its cluster for every name that is linked to another, directly or through others.

    Args:
        links: pairs of names that belong together, such as a question and its paragraph.

    Returns:
        For each name the first name of its cluster, in the order of the links.
    """
    parents: dict[str, str] = {}

    def root(name: str) -> str:
        parents.setdefault(name, name)
        while parents[name] != name:
            parents[name] = parents[parents[name]]
            name = parents[name]
        return name

    for one, other in links:
        first, second = root(one), root(other)
        parents[second] = first
    return {name: root(name) for name in parents}
