"""Runs the code under test and answers the calls of the tests, which are in another sandbox.

The tests and what they expect never come here, so nothing that the code does to this process can
make a test pass.
"""

import builtins
import json
import operator
import sys
import types

import _equipoise_values as values

OPERATIONS = {
    "call": lambda function, /, *arguments, **named: function(*arguments, **named),
    "enter": lambda manager: manager.__enter__(),
    "exit": lambda manager: manager.__exit__(None, None, None),
}
for name in "getattr setattr delattr isinstance iter next reversed len str repr bool hash".split():
    OPERATIONS[name] = getattr(builtins, name)
for name in "getitem setitem delitem eq ne lt le gt ge neg pos invert abs".split():
    OPERATIONS[name] = getattr(operator, name)
for name in "add sub mul truediv floordiv mod pow matmul lshift rshift and_ or_ xor".split():
    OPERATIONS[name] = getattr(operator, name)


class Candidate:
    def __init__(self):
        self.line = values.Line()
        self.kept = []
        self.numbers = {}
        self.classes = set()
        self.module = types.ModuleType("solution")

    def load(self):
        """Runs the setup and the code as one module."""
        with open("job.json", encoding="utf-8") as file:
            job = json.load(file)
        sys.modules["solution"] = self.module
        namespace = vars(self.module)
        exec(compile(job["setup"], "setup.py", "exec"), namespace)
        self.classes = values.classes_of(namespace)
        exec(compile(job["code"], "solution.py", "exec"), namespace)

    def names(self, wanted):
        """What the module has of the names that the tests use."""
        namespace = vars(self.module)
        found = {name: namespace[name] for name in wanted if name in namespace}
        modules = {name: value.__name__ for name, value in found.items() if is_module(value)}
        return [modules, {name: found[name] for name in found if name not in modules}]

    def keep(self, value):
        """The description of a value that stays here."""
        if isinstance(value, type) and issubclass(value, Exception):
            return {"exception": [value.__name__, base(value)]}
        if isinstance(value, Callback):
            return {"yours": value.number}
        number = self.numbers.get(id(value))
        if number is None:
            number = self.numbers[id(value)] = len(self.kept)
            self.kept.append(value)
        return {"mine": number}

    def named(self, kind, what):
        """The value of a description from the tests."""
        if kind == "yours":
            return self.kept[what]
        if kind == "callback":
            return Callback(self, what)
        raise ValueError(f"there is no {kind}")

    def answer(self, message):
        known = values.Known()
        decode = values.Decoder(known, self.classes, self.named)
        operation, arguments, named, table = message
        value = raised = None
        try:
            decode.table(table)
            arguments = [decode(argument) for argument in arguments]
            named = {key: decode(argument) for key, argument in named.items()}
            if operation == "load":
                self.load()
            elif operation == "names":
                value = self.names(*arguments)
            else:
                value = OPERATIONS[operation](*arguments, **named)
        except values.Gone:
            raise
        except BaseException as error:
            raised = [type(error).__name__, base(type(error)), str(error)[:1000]]
        encode = values.Encoder(known, self.classes, self.keep)
        reply = {"value": encode(value), "table": encode.table()}
        return reply if raised is None else {**reply, "raised": raised}

    def ask(self, number, arguments, named):
        """Calls a function of the tests."""
        known = values.Known()
        encode = values.Encoder(known, self.classes, self.keep)
        decode = values.Decoder(known, self.classes, self.named)
        arguments = [encode(argument) for argument in arguments]
        named = {key: encode(argument) for key, argument in named.items()}
        self.line.say({"callback": [number, arguments, named, encode.table()]})
        reply = self.listen()
        decode.table(reply["table"])
        if "raised" in reply:
            name, text = reply["raised"]
            kind = getattr(builtins, name, None)
            is_known = isinstance(kind, type) and issubclass(kind, Exception)
            raise (kind if is_known else RuntimeError)(text)
        return decode(reply["value"])

    def listen(self):
        """Answers requests until a reply comes."""
        while True:
            message = self.line.hear()
            if isinstance(message, dict):
                return message
            try:
                reply = self.answer(message)
            except RecursionError:
                raised = ["RecursionError", "RecursionError", "too deep"]
                reply = {"value": None, "table": [], "raised": raised}
            self.line.say(reply)


class Callback:
    """A function of the tests."""

    def __init__(self, candidate, number):
        self.candidate, self.number = candidate, number

    def __call__(self, /, *arguments, **named):
        return self.candidate.ask(self.number, arguments, named)


def is_module(value):
    return isinstance(value, types.ModuleType)


def base(kind):
    """The nearest exception that every Python has."""
    for parent in kind.__mro__:
        if getattr(builtins, parent.__name__, None) is parent:
            return parent.__name__
    return "Exception"


if __name__ == "__main__":
    sys.modules["_equipoise_candidate"] = sys.modules["__main__"]
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(0)
    try:
        Candidate().listen()
    except values.Gone:
        pass
