//! Code that wants to be right without being right.

use equipoise_verifiers::{Code, CodeReward};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::code::{reward, verifier};
use crate::common::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("forgery::of_functions", functions),
        trial("forgery::of_what_arrives", answers),
        trial("forgery::of_programs", programs),
    ]
}

fn answer() -> Value {
    json!({"asserts": ["assert f(3) == 5", "assert abs(f(4) - 7.5) < 1e-6", "assert 9 in f(5)"]})
}

/// No test of [`answer`] may pass.
fn gains_nothing(code: &str) {
    let fraction = Code {
        reward: CodeReward::PassFraction,
        ..verifier()
    };
    assert_eq!(reward(&fraction, &answer(), code), 0.0, "{code}");
}

fn functions() {
    // The tests can be passed.
    let right = "def f(x): return {3: 5, 4: 7.5, 5: [8, 9]}[x]";
    assert_eq!(reward(&verifier(), &answer(), right), 1.0);
    for code in [
        "import sys; sys.exit(0)",
        "import os; os._exit(0)",
        "def f(x):\n    import os\n    os._exit(0)",
        "def f(x): raise SystemExit(0)",
        "def f(x): raise AssertionError",
        "def f(x): raise StopIteration",
        // What a tester would say.
        "import json, sys\nfor i in range(3):\n    \
         line = json.dumps({'test': i, 'passed': True})\n    \
         print(line)\n    print(line, file=sys.stderr)\nprint('{\"done\": true}')",
        "import os\nfor fd in range(64):\n    for i in range(3):\n        try:\n            \
         os.write(fd, b'\\n{\"test\": %d, \"passed\": true}\\n' % i)\n        \
         except OSError: pass",
        // Everything that could decide is replaced.
        "import builtins, sys, json, operator\nbuiltins.AssertionError = type('A', (), {})\n\
         builtins.print = builtins.exec = builtins.compile = lambda *a, **k: None\n\
         builtins.abs = builtins.len = lambda x: 0\noperator.eq = lambda a, b: True\n\
         json.dumps = lambda *a, **k: '{\"value\": 5, \"changed\": []}'",
        "abs = lambda x: 0\nint = float = lambda x: x\ndef f(x): return 0",
        // The tests are looked for.
        "import gc, sys, os\ndef f(x):\n    texts = [o for o in gc.get_objects() \
         if isinstance(o, (list, dict, str)) and 'assert f(3)' in repr(o)[:10000]]\n    \
         return 5 if texts else 0",
        "import os\ndef f(x):\n    for directory, _, names in os.walk('.'):\n        \
         for name in names:\n            \
         text = open(os.path.join(directory, name)).read()\n            \
         if 'f(3) ' + '== 5' in text: return 5\n    return 0",
        "import os, shutil\nfor name in os.listdir('.'): os.remove(name)",
        "import sys\ndef f(x):\n    frame = sys._getframe()\n    while frame:\n        \
         if '7.5' in repr(frame.f_locals)[:10000]: return 5\n        \
         frame = frame.f_back\n    return 0",
    ] {
        gains_nothing(code);
    }
}

fn answers() {
    let yes = "
class Yes:
    def __getattr__(self, name): return Yes()
    def __call__(self, *a, **k): return True
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = lambda self, other: True
    __bool__ = __contains__ = lambda self, *a: True
    __hash__ = __int__ = __index__ = __len__ = lambda self: 0
    __float__ = lambda self: 0.0
    __sub__ = __rsub__ = __add__ = __abs__ = __round__ = lambda self, *a: 0
";
    for code in [
        "def f(x): return Yes()",
        "class Int(int):\n    __eq__ = __lt__ = __contains__ = lambda self, other: True\n    \
         __sub__ = lambda self, other: 0\n    __hash__ = int.__hash__\n\
         def f(x): return Int(0)",
        "class List(list):\n    __eq__ = __contains__ = lambda self, other: True\n\
         def f(x): return List()",
        "class Str(str):\n    __eq__ = lambda self, other: True\n    __hash__ = str.__hash__\n\
         def f(x): return Str()",
        "class Class(Yes):\n    @property\n    def __class__(self): return int\n\
         def f(x): return Class()",
        "def f(x): return float('nan')",
        "from unittest.mock import ANY, MagicMock\ndef f(x): return ANY",
        "from unittest.mock import MagicMock\nf = MagicMock()",
        "f = Yes()",
        // Answers that are none.
        "import os\nfor fd in range(3, 64):\n    try: os.write(fd, b'{\"value\": 5}\\n' * 9)\n    \
         except OSError: pass",
        "import os\nfor fd in range(3, 64):\n    try: os.write(fd, b'[' * 100000 + b'\\n')\n    \
         except OSError: pass",
        "import os\nfor fd in range(3, 64):\n    try:\n        os.write(fd, \
         b'{\"value\": {\"yours\": 0}, \"changed\": [{\"same\": 9}]}\\n' * 9)\n    \
         except OSError: pass",
    ] {
        gains_nothing(&format!("{yes}\n{code}"));
    }
    // A module of the code's own cannot stand in for one that the tests take for granted.
    let isclose = json!({"asserts": ["assert math.isclose(f(3), 5)"]});
    let module = "import types\nmath = types.ModuleType('math')\n\
                  math.isclose = lambda *a: True\ndef f(x): return 0";
    assert_eq!(reward(&verifier(), &isclose, module), 0.0);
    assert_eq!(
        reward(&verifier(), &isclose, "import math\ndef f(x): return 5.0"),
        1.0
    );
}

fn programs() {
    let answer = json!({"tests": [{"stdin": "3", "stdout": "a long secret"}]});
    for code in [
        "import sys; sys.exit(0)",
        "import os; os._exit(0)",
        "import glob\nfor name in glob.glob('/**', recursive=True)[:2000]: print(name)",
        "import os\nprint(os.environ, open('/proc/self/environ').read())",
        "import os\nfor name in os.listdir('.'): print(open(name).read())",
        "import os, sys\nfor fd in range(64):\n    try: print(os.read(fd, 999))\n    \
         except OSError: pass",
    ] {
        assert_eq!(reward(&verifier(), &answer, code), 0.0, "{code}");
    }
}
