"""Types that hold themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import NotRequired, TypedDict


@dataclass
class Tree:
    """A tree of numbers."""

    value: int
    children: list[Tree] = field(default_factory=list)


class Node(TypedDict):
    value: int
    next: NotRequired[Node | None]


class Diary(TypedDict):
    day: date
    before: NotRequired[Diary]


@dataclass
class Folder:
    name: str
    files: list[File]


@dataclass
class File:
    name: str
    folder: Folder | None = None


def total(tree: Tree, other: Tree | None = None) -> int:
    """Adds a tree up."""
    return tree.value + sum(map(total, tree.children))


def mirror(tree: Tree) -> Tree:
    """Turns a tree round."""
    return Tree(tree.value, [mirror(child) for child in reversed(tree.children)])


def length(node: Node) -> Node:
    """Needs no conversion."""
    return node


def first(diary: Diary) -> Diary:
    """Converts at every level."""
    while "before" in diary:
        diary = diary["before"]
    return diary


def find(folder: Folder, name: str) -> list[File]:
    """Finds files in a folder."""
    return [file for file in folder.files if file.name == name]
