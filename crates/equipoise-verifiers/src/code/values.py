"""How values travel between the tests and the code they test, which live in two sandboxes.

Plain data is copied. Lists, dictionaries, sets and objects keep their identity: what a function does
to its arguments is done to the originals. Everything else stays where it is and is named by a number.
"""

import json
import os


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
        return json.loads(line)


class Known:
    """The numbers of objects that both sides have during one call."""

    def __init__(self):
        self.objects = {}
        self.numbers = {}

    def put(self, number, value):
        self.objects[number] = value
        self.numbers[id(value)] = number


class Encoder:
    """Turns values into what JSON can say; `stay` does so for what is not copied.

    What can be changed is only numbered where it occurs. `table` describes it, so that neither long
    chains nor circles are nested.
    """

    def __init__(self, known, classes, stay):
        self.known, self.classes, self.stay = known, classes, stay
        self.waiting = list(known.objects)

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
            return {"same": self.number(value)}
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
            data = value.tolist()
            if name == "ndarray" and value.dtype.kind in "biuf":
                return {"array": [value.dtype.str, value.shape, json.dumps(data)]}
            return self(data)
        if (module, name) == ("collections", "deque"):
            return {"deque": [self(item) for item in value]}
        if (module, name) in NUMBERS:
            return {"number": [module, name, str(value)]}
        if module == "datetime" and name in TIMES:
            return {"time": [name, value.isoformat()]}
        if module == "datetime" and name == "timedelta":
            return {"timedelta": [value.days, value.seconds, value.microseconds]}
        return self.stay(value)

    def number(self, value):
        number = self.known.numbers.get(id(value))
        if number is None:
            number = len(self.known.objects)
            self.known.put(number, value)
            self.waiting.append(number)
        return number

    def table(self):
        """The contents of everything that has a number."""
        table = []
        while self.waiting:
            number = self.waiting.pop()
            table.append([number, *self.contents(self.known.objects[number])])
        return table

    def contents(self, value):
        if isinstance(value, list):
            return "list", [self(item) for item in list.__iter__(value)]
        if isinstance(value, dict):
            return "dict", [[self(key), self(item)] for key, item in dict.items(value)]
        if isinstance(value, set):
            return "set", [self(item) for item in set.__iter__(value)]
        if isinstance(value, bytearray):
            return "bytearray", bytes(value).hex()
        items = [[key, self(item)] for key, item in vars(value).items()]
        return type(value).__qualname__, items


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

    def table(self, table):
        """Makes what has a number, or changes what is there already."""
        for number, name, _ in table:
            kind = CHANGEABLE.get(name) or self.classes[name]
            if type(self.known.objects.get(number)) is not kind:
                self.known.put(number, kind.__new__(kind))
        # What is in a set or a key of a dictionary may need its attributes to be found there.
        for number, name, what in sorted(table, key=lambda entry: entry[1] in CHANGEABLE):
            self.fill(self.known.objects[number], name, what)

    def fill(self, there, name, what):
        if name == "list":
            there[:] = [self(item) for item in what]
        elif name == "bytearray":
            there[:] = bytes.fromhex(what)
        elif name == "set":
            there.clear()
            there.update([self(item) for item in what])
        else:
            items = [(self(key), self(item)) for key, item in what]
            there = there if name == "dict" else vars(there)
            there.clear()
            there.update(items)

    def _same(self, number):
        return self.known.objects[number]

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

    def _array(self, what):
        import numpy

        kind, shape, data = what
        return numpy.array(json.loads(data), dtype=numpy.dtype(str(kind))).reshape(shape)

    def _number(self, what):
        module, name, text = what
        if (module, name) not in NUMBERS:
            raise ValueError("no such number")
        return getattr(__import__(module), name)(text)

    def _time(self, what):
        import datetime

        name, text = what
        if name not in TIMES:
            raise ValueError("no such time")
        return getattr(datetime, name).fromisoformat(text)

    def _timedelta(self, what):
        from datetime import timedelta

        return timedelta(*what)


CHANGEABLE = {"list": list, "dict": dict, "set": set, "bytearray": bytearray}
NUMBERS = (("decimal", "Decimal"), ("fractions", "Fraction"))
TIMES = ("date", "datetime", "time")
KINDS = {name[1:] for name in vars(Decoder) if name[0] == "_" and name[1] != "_"}


def classes_of(namespace):
    """The classes with ordinary objects that a setup has defined; both sides have them."""
    found = [kind for kind in namespace.values() if isinstance(kind, type)]
    mine = [kind for kind in found if kind.__module__ == namespace["__name__"]]
    plain = (int, float, str, tuple, list, dict, set, frozenset, bytes, bytearray, BaseException)
    return {kind for kind in mine if not issubclass(kind, plain) and kind.__dictoffset__ != 0}
