"""Runs tests on code that is in another sandbox.

Only calls and plain data cross over: whatever an answer of the other side is made of, it is compared
here, by this process's own operators. Results go to the standard error as lines of JSON.
"""

import ast
import builtins
import importlib
import json
import os
import sys

import _equipoise_values as values

# What the tests may call a module that the code under test has imported for them.
ALIASES = {"np": "numpy", "pd": "pandas", "sp": "scipy"}


class Stranger(Exception):
    """The code under test broke the conversation."""


class Proxy:
    """Something that stays with the code under test.

    It is equal to nothing but other such things, and an operator between it and plain data must not
    give plain data: an object that claims to equal everything, or to be any number less itself, gets
    nowhere.
    """

    __slots__ = ("_tester", "_number")

    def __init__(self, tester, number):
        object.__setattr__(self, "_tester", tester)
        object.__setattr__(self, "_number", number)

    def __call__(self, /, *arguments, **named):
        return self._tester.ask("call", self, *arguments, **named)

    def __getattr__(self, name):
        return self._tester.ask("getattr", self, name)

    def __setattr__(self, name, value):
        self._tester.ask("setattr", self, name, value)

    def __delattr__(self, name):
        self._tester.ask("delattr", self, name)

    def __eq__(self, other):
        return isinstance(other, Proxy) and self._tester.ask("eq", self, other) is True

    def __ne__(self, other):
        return not self == other

    def __instancecheck__(self, instance):
        return isinstance(instance, Proxy) and self._tester.ask("isinstance", instance, self) is True

    def __contains__(self, item):
        return any(item == other for other in self)

    def __exit__(self, *_):
        return bool(self._tester.ask("exit", self))


def forward(name, operation):
    def method(self, *arguments):
        return self._tester.ask(operation, self, *arguments)

    setattr(Proxy, name, method)


def compare(name, operation):
    def method(self, other):
        if not isinstance(other, Proxy):
            raise TypeError(f"an object of the code under test cannot be compared with {other!r}")
        return self._tester.ask(operation, self, other)

    setattr(Proxy, name, method)


def combine(name, operation, swapped):
    def method(self, other):
        arguments = (other, self) if swapped else (self, other)
        value = self._tester.ask(operation, *arguments)
        if not isinstance(other, Proxy) and not isinstance(value, Proxy):
            raise TypeError("an object of the code under test is no plain data")
        return value

    setattr(Proxy, name, method)


for name in "iter next reversed len str repr bool hash getitem setitem delitem enter".split():
    forward(f"__{name}__", name)
for name in "neg pos invert abs".split():
    forward(f"__{name}__", name)
for name in "lt le gt ge".split():
    compare(f"__{name}__", name)
for name in "add sub mul truediv floordiv mod pow matmul lshift rshift and_ or_ xor".split():
    plain = name.rstrip("_")
    combine(f"__{plain}__", name, False)
    combine(f"__r{plain}__", name, True)


class Tester:
    def __init__(self):
        self.line = values.Line()
        self.results = os.fdopen(os.dup(2), "w", encoding="utf-8")
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        self.callbacks = []
        self.proxies = {}
        self.exceptions = {}
        self.classes = set()

    def tell(self, **result):
        self.results.write(json.dumps(result) + "\n")
        self.results.flush()

    def stay(self, value):
        """The description of a value that is not copied."""
        if isinstance(value, Proxy):
            return {"yours": object.__getattribute__(value, "_number")}
        if callable(value):
            self.callbacks.append(value)
            return {"callback": len(self.callbacks) - 1}
        raise TypeError(f"a {type(value).__name__} cannot be given to the code under test")

    def named(self, kind, what):
        """The value of a description from the code under test."""
        if kind == "mine":
            if type(what) is not int:
                raise Stranger("a number that is none")
            return self.proxies.setdefault(what, Proxy(self, what))
        if kind == "yours":
            return self.callbacks[what]
        if kind == "exception":
            return self.exception(*what)
        raise Stranger(f"there is no {kind}")

    def exception(self, name, base):
        """An exception's class, by its name and the nearest one that every Python has."""
        for known in (getattr(builtins, name, None), self.exceptions.get(name)):
            if isinstance(known, type) and issubclass(known, Exception):
                return known
        parent = getattr(builtins, base, None)
        if not (isinstance(parent, type) and issubclass(parent, Exception)):
            parent = Exception
        return self.exceptions.setdefault(name, type(name, (parent,), {}))

    def ask(self, operation, /, *arguments, **named):
        """Has the code under test do something."""
        known = values.Known()
        encode = values.Encoder(known, self.classes, self.stay)
        decode = values.Decoder(known, self.classes, self.named)
        arguments = [encode(argument) for argument in arguments]
        named = {key: encode(argument) for key, argument in named.items()}
        self.line.say([operation, arguments, named, encode.table()])
        while True:
            reply = self.line.hear()
            if not isinstance(reply, dict):
                raise Stranger("an answer that is none")
            if "callback" not in reply:
                break
            self.line.say(self.call(*reply["callback"]))
        decode.table(reply["table"])
        if "raised" in reply:
            name, base, text = map(str, reply["raised"])
            kind = self.exception(name, base)
            try:
                error = kind(text)
            except TypeError:
                error = kind.__new__(kind)
            raise error
        return decode(reply["value"])

    def call(self, number, arguments, named, table):
        """Calls a function of the tests for the code under test."""
        known = values.Known()
        decode = values.Decoder(known, self.classes, self.named)
        value = raised = None
        try:
            decode.table(table)
            arguments = [decode(argument) for argument in arguments]
            named = {str(key): decode(argument) for key, argument in named.items()}
            value = self.callbacks[number](*arguments, **named)
        except Exception as error:
            raised = [type(error).__name__, str(error)[:1000]]
        encode = values.Encoder(known, self.classes, self.stay)
        reply = {"value": encode(value), "table": encode.table()}
        return reply if raised is None else {**reply, "raised": raised}

    def run(self, job):
        try:
            setup = compile(job["setup"], "setup.py", "exec")
            trees = [test if isinstance(test, dict) else ast.parse(test) for test in job["tests"]]
            namespace = {"__name__": "solution"}
            exec(setup, namespace)
            self.classes = values.classes_of(namespace)
        except Exception as error:
            return self.tell(broken=words(error))
        try:
            self.ask("load")
            namespace = {**self.names(trees, job, namespace), **namespace}
        except (Exception, values.Gone) as error:
            return self.tell(load=words(error))
        for number, test in enumerate(trees):
            try:
                self.one(test, job, dict(namespace))
                self.tell(test=number, passed=True)
            except BaseException as error:
                self.tell(test=number, passed=False, why=words(error))
                if job["stop"] or isinstance(error, values.Gone):
                    break
        self.tell(done=True)

    def names(self, trees, job, namespace):
        """What the tests use and neither they nor Python have."""
        wanted = {"Solution", job["entry"]} if job["entry"] else set()
        for tree in trees:
            if not isinstance(tree, dict):
                nodes = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
                wanted.update(node.id for node in nodes if isinstance(node.ctx, ast.Load))
        wanted = sorted(wanted - set(vars(builtins)) - set(namespace))
        modules, found = self.ask("names", wanted)
        found = {name: value for name, value in found.items() if name in wanted}
        for name, module in modules.items():
            # Under another name it could be any module that has what the tests look for.
            if name in wanted and module in (name, ALIASES.get(name)):
                found[name] = importlib.import_module(module)
        return found

    def one(self, test, job, namespace):
        if job["entry"] and job["entry"] in namespace:
            namespace["candidate"] = namespace[job["entry"]]
        if not isinstance(test, dict):
            return exec(compile(test, "tests.py", "exec"), namespace)
        function = namespace.get("candidate")
        if function is None and "Solution" in namespace:
            function = getattr(namespace["Solution"](), job["entry"])
        if function is None:
            raise NameError(f"the code does not define {job['entry']}")
        value, expected = lists(function(*test["arguments"])), test["expected"]
        # Some collections wrap the expected value in a list.
        if value != expected and [value] != expected:
            raise AssertionError(f"gave {value!r}"[:300])


def lists(value):
    """The same value as JSON would have it."""
    if isinstance(value, (list, tuple)):
        return [lists(item) for item in value]
    if isinstance(value, dict):
        return {str(key): lists(item) for key, item in value.items()}
    return value


def words(error):
    if isinstance(error, values.Gone):
        return "the code under test ended"
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return text[:300]


if __name__ == "__main__":
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(0)
    with open("job.json", encoding="utf-8") as file:
        job = json.load(file)
    tester = Tester()
    tester.tell(began=True)
    tester.run(job)
