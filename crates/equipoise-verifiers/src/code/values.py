"""How values travel between the tests and the code they test, which live in two sandboxes.

Plain data is copied. Lists, dictionaries, sets and objects keep their identity: what a function does
to its arguments is done to the originals. Everything else stays where it is and is named by a number.
"""

import contextlib
import json
import os
import sys

# Nodes of a linked list, and lists in lists, may be this deep.
DEEPEST = 10_000


class Gone(BaseException):
    """The other side has ended."""


class Line:
    """A conversation over the standard input, which is a socket."""

    def __init__(self):
        self.reader = os.fdopen(os.dup(0), "rb")
        self.writer = os.fdopen(os.dup(0), "wb")
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)

    def say(self, message):
        with deep():
            line = json.dumps(message).encode() + b"\n"
        try:
            self.writer.write(line)
            self.writer.flush()
        except OSError:
            raise Gone from None

    def hear(self):
        try:
            line = self.reader.readline()
        except OSError:
            line = b""
        if not line.endswith(b"\n"):
            raise Gone
        with deep():
            return json.loads(line)


class Known:
    """The numbers of objects that both sides have during one call."""

    def __init__(self):
        self.objects = {}
        self.numbers = {}

    def number(self, value):
        """The number of an object, and whether it is new."""
        number = self.numbers.get(id(value))
        if number is not None:
            return number, False
        self.put(len(self.objects), value)
        return len(self.objects) - 1, True

    def put(self, number, value):
        self.objects[number] = value
        self.numbers[id(value)] = number


class Encoder:
    """Turns values into what JSON can say; `stay` does so for what is not copied."""

    def __init__(self, known, classes, stay):
        self.known, self.classes, self.stay = known, classes, stay
        self.written = set()

    def __call__(self, value):
        if value is None or value is True or value is False:
            return value
        # What is derived from plain data is that data, whatever else it can do.
        if isinstance(value, int):
            return int.__int__(value)
        if isinstance(value, float):
            return float.__float__(value)
        if isinstance(value, str):
            return str.__str__(value)
        kind = type(value)
        if isinstance(value, tuple):
            return {"tuple": [self(item) for item in tuple.__iter__(value)]}
        if isinstance(value, (list, dict, set, bytearray)) or kind in self.classes:
            return self.mutable(value)
        if isinstance(value, frozenset):
            return {"frozenset": [self(item) for item in frozenset.__iter__(value)]}
        if isinstance(value, bytes):
            return {"bytes": bytes.hex(value)}
        if kind is complex:
            return {"complex": [value.real, value.imag]}
        if kind is range:
            return {"range": [value.start, value.stop, value.step]}
        module, name = kind.__module__, kind.__qualname__
        if module == "numpy" and hasattr(value, "tolist"):
            return self(value.tolist())
        if (module, name) == ("collections", "deque"):
            return {"deque": [self(item) for item in value]}
        if (module, name) in (("decimal", "Decimal"), ("fractions", "Fraction")):
            return {"number": [module, name, str(value)]}
        if module == "datetime" and name in ("date", "datetime", "time"):
            return {"time": [name, value.isoformat()]}
        if module == "datetime" and name == "timedelta":
            return {"timedelta": [value.days, value.seconds, value.microseconds]}
        return self.stay(value)

    def mutable(self, value):
        number, _ = self.known.number(value)
        if number in self.written:
            return {"same": number}
        self.written.add(number)
        if isinstance(value, list):
            return {"list": [number, [self(item) for item in list.__iter__(value)]]}
        if isinstance(value, dict):
            items = [[self(key), self(item)] for key, item in dict.items(value)]
            return {"dict": [number, items]}
        if isinstance(value, set):
            return {"set": [number, [self(item) for item in set.__iter__(value)]]}
        if isinstance(value, bytearray):
            return {"bytearray": [number, bytes(value).hex()]}
        items = [[key, self(item)] for key, item in vars(value).items()]
        return {"object": [number, type(value).__qualname__, items]}


class Decoder:
    """The way back; `named` gives what was not copied, by its kind and description."""

    def __init__(self, known, classes, named):
        self.known, self.named = known, named
        self.classes = {kind.__qualname__: kind for kind in classes}

    def __call__(self, value):
        if not isinstance(value, dict):
            return value
        ((kind, what),) = value.items()
        return getattr(self, "_" + kind)(what) if kind in KINDS else self.named(kind, what)

    def _tuple(self, what):
        return tuple(map(self, what))

    def _frozenset(self, what):
        return frozenset(map(self, what))

    def _bytes(self, what):
        return bytes.fromhex(what)

    def _complex(self, what):
        return complex(*what)

    def _range(self, what):
        return range(*what)

    def _deque(self, what):
        from collections import deque

        return deque(map(self, what))

    def _number(self, what):
        module, name, text = what
        if (module, name) not in (("decimal", "Decimal"), ("fractions", "Fraction")):
            raise ValueError("no such number")
        return getattr(__import__(module), name)(text)

    def _time(self, what):
        import datetime

        name, text = what
        if name not in ("date", "datetime", "time"):
            raise ValueError("no such time")
        return getattr(datetime, name).fromisoformat(text)

    def _timedelta(self, what):
        from datetime import timedelta

        return timedelta(*what)

    def _same(self, number):
        return self.known.objects[number]

    def _at(self, number, kind, make):
        """The object of that number if there is one of that kind, otherwise a new one."""
        there = self.known.objects.get(number)
        if type(there) is not kind:
            there = make()
            self.known.put(number, there)
        return there

    def _list(self, what):
        number, items = what
        there = self._at(number, list, list)
        there[:] = list(map(self, items))
        return there

    def _dict(self, what):
        number, items = what
        there = self._at(number, dict, dict)
        items = [(self(key), self(item)) for key, item in items]
        there.clear()
        there.update(items)
        return there

    def _set(self, what):
        number, items = what
        there = self._at(number, set, set)
        items = list(map(self, items))
        there.clear()
        there.update(items)
        return there

    def _bytearray(self, what):
        number, text = what
        there = self._at(number, bytearray, bytearray)
        there[:] = bytes.fromhex(text)
        return there

    def _object(self, what):
        number, name, items = what
        kind = self.classes[name]
        there = self._at(number, kind, lambda: kind.__new__(kind))
        items = {str(key): self(item) for key, item in items}
        vars(there).clear()
        vars(there).update(items)
        return there


KINDS = {
    name[1:] for name in vars(Decoder) if name.startswith("_") and name[1:2] != "_" and name != "_at"
}


@contextlib.contextmanager
def deep():
    """Allows the recursion that deep data needs."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, DEEPEST))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def classes_of(namespace):
    """The classes with ordinary objects that a setup has defined; both sides have them."""
    found = [kind for kind in namespace.values() if isinstance(kind, type)]
    mine = [kind for kind in found if kind.__module__ == namespace["__name__"]]
    plain = (int, float, str, tuple, list, dict, set, frozenset, bytes, bytearray, BaseException)
    return {kind for kind in mine if not issubclass(kind, plain) and kind.__dictoffset__ != 0}
