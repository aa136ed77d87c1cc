"""A dictionary of headers."""

from collections.abc import Mapping, MutableMapping


class CaseInsensitiveDict(MutableMapping):
    """Keys are the same in upper and lower case; the last spelling is kept."""

    def __init__(self, data=None, **more):
        self._items = {}
        self.update(data or {}, **more)

    def __setitem__(self, key, value):
        self._items[key.lower()] = (key, value)

    def __getitem__(self, key):
        return self._items[key.lower()][1]

    def __delitem__(self, key):
        del self._items[key.lower()]

    def __iter__(self):
        return (key for key, _ in self._items.values())

    def __len__(self):
        return len(self._items)

    def lower_items(self):
        return ((key, value) for key, (_, value) in self._items.items())

    def copy(self):
        return CaseInsensitiveDict(self)

    def __eq__(self, other):
        if not isinstance(other, Mapping):
            return NotImplemented
        return dict(self.lower_items()) == dict(CaseInsensitiveDict(other).lower_items())

    def __repr__(self):
        return str(dict(self.items()))
