//! The verifier of code: what passes, what fails, and what cannot be judged.

use std::num::NonZero;
use std::time::Duration;

use equipoise_core::Problem;
use equipoise_verifiers::sandbox::{Level, Limits, Sandbox};
use equipoise_verifiers::{Code, CodeReward, Verdict, Verifier, verify_all};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::common::{Mode, options, roomy, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("code::programs", programs),
        trial("code::programs_that_fail", failing_programs),
        trial("code::pass_fraction", pass_fraction),
        trial("code::functions", functions),
        trial("code::functions_of_common_collections", collections),
        trial("code::objects_cross_the_border", objects),
        trial("code::functions_that_fail", failing_functions),
        trial("code::not_the_fault_of_the_code", unscorable),
        trial("code::explanations", explanations),
        trial("code::batches", batches),
        trial("code::other_interpreters", other_interpreters),
    ]
}

/// The verifier with every protection there is.
pub(crate) fn verifier() -> Code {
    Code::python(Sandbox::new(options(Mode::Everything, roomy())))
}

pub(crate) fn problem(answer: &Value) -> Problem {
    Problem {
        id: 7,
        prompt: "?".to_owned(),
        answer: answer.to_string(),
        source: "test".to_owned(),
    }
}

/// The reward of some code, with the explanation printed.
pub(crate) fn reward(verifier: &Code, answer: &Value, code: &str) -> f64 {
    let explained = verifier.explain(&problem(answer), code);
    println!("{}", explained.why);
    match explained.verdict {
        Verdict::Scored { reward, .. } => reward,
        Verdict::Unscorable { why } => panic!("{why}"),
    }
}

fn sum() -> Value {
    json!({"tests": [{"stdin": "1 2\n", "stdout": "3\n"}, {"stdin": "-4 4", "stdout": "0"}]})
}

fn programs() {
    let right = "a, b = map(int, input().split())\nprint(a + b)";
    assert_eq!(reward(&verifier(), &sum(), right), 1.0);
    let dressed = format!("<think>print(3)</think>So:\n```python\n{right}\n```\nDone.");
    assert_eq!(reward(&verifier(), &sum(), &dressed), 1.0);
    // White space at the ends does not count, anything else does.
    assert_eq!(
        reward(&verifier(), &sum(), &format!("{right}\nprint('  ')")),
        1.0
    );
    assert_eq!(
        reward(&verifier(), &sum(), &right.replace("(a", "('', a")),
        0.0
    );
    let close = "a, b = map(int, input().split())\nprint(a + b + 1e-9)";
    assert_eq!(reward(&verifier(), &sum(), close), 0.0);
    let tolerant = Code {
        tolerance: Some(1e-6),
        ..verifier()
    };
    assert_eq!(reward(&tolerant, &sum(), close), 1.0);
    let main = "def main():\n    print(sum(map(int, input().split())))\n\
                if __name__ == '__main__':\n    main()";
    assert_eq!(reward(&verifier(), &sum(), main), 1.0);
}

fn failing_programs() {
    let limits = Limits {
        wall: Duration::from_secs(2),
        output: 10_000,
        ..Limits::default()
    };
    let quick = Code::python(Sandbox::new(options(Mode::Everything, limits)));
    for code in [
        "print(4)",
        "",
        "this is no code",
        "a, b = map(int, input().split())\nprint(a + b)\nraise SystemExit(1)",
        "a, b = map(int, input().split())\nprint(a + b)\nimport time; time.sleep(10)",
        "while True: print(3)",
        "print(open('/tests').read())",
        "import os\nprint(3)\nos.kill(os.getpid(), 9)",
    ] {
        assert_eq!(reward(&quick, &sum(), code), 0.0, "{code}");
    }
}

fn pass_fraction() {
    let positive = "print(3)";
    let fraction = Code {
        reward: CodeReward::PassFraction,
        ..verifier()
    };
    for parallel in [1, 3] {
        let fraction = Code {
            parallel: NonZero::new(parallel).unwrap(),
            ..fraction.clone()
        };
        assert_eq!(reward(&fraction, &sum(), positive), 0.5);
        assert_eq!(reward(&fraction, &sum(), "x"), 0.0);
        let verdict = fraction.verify(&problem(&sum()), positive);
        assert_eq!(verdict.correct(), Some(false));
    }
    assert_eq!(reward(&verifier(), &sum(), positive), 0.0);
    let asserts = json!({"asserts": ["assert f(1) == 2", "assert f(2) == 3", "assert f(3) == 9"]});
    let code = "def f(x): return x + 1";
    assert_eq!(reward(&fraction, &asserts, code), 2.0 / 3.0);
    assert_eq!(reward(&verifier(), &asserts, code), 0.0);
}

fn functions() {
    let answer = json!({
        "setup": "import math",
        "asserts": [
            "assert f(1) == 2",
            "assert isinstance(f(1), int)",
            "assert math.isclose(half(3), 1.5)",
            "assert abs(half(1) - 0.5) < 1e-9",
            "assert f(10 ** 40) == 10 ** 40 + 1",
            "assert pair(1) == (1, 'é', None, True, b'x', 2.5)",
            "assert {1, 2} == as_set([1, 2, 1]) and 3 not in as_set([1])",
            "for i in range(5):\n    assert f(i) == i + 1",
            "data = [3, 1, 2]\nassert sort(data) is None\nassert data == [1, 2, 3]",
            "assert apply(lambda x: x * 2, [1, 2]) == [2, 4]",
            "assert list(count(3)) == [0, 1, 2]",
            "assert next(count(1)) == 0",
            "try:\n    fail()\n    assert False\nexcept ValueError as error:\n    \
             assert str(error) == 'no'",
            "try:\n    own()\n    assert False\nexcept Own:\n    pass",
            "assert f(1) != 3 and not f(-1)",
            "assert CONSTANT == {'a': [1]}",
        ]
    });
    let code = "
class Own(Exception): pass
CONSTANT = {'a': [1]}
def f(x): return x + 1
def half(x): return x / 2
def pair(x): return x, 'é', None, True, b'x', 2.5
def as_set(x): return set(x)
def sort(x): x.sort()
def apply(g, x): return [g(i) for i in x]
def count(n):
    for i in range(n): yield i
def fail(): raise ValueError('no')
def own(): raise Own()
";
    assert_eq!(reward(&verifier(), &answer, code), 1.0);
}

fn collections() {
    let code = "def add(a, b):\n    return a + b";
    let mbpp = json!({"test_list": ["assert add(1, 2) == 3"], "test_imports": ["import math"]});
    assert_eq!(reward(&verifier(), &mbpp, code), 1.0);
    let human = json!({
        "test": "METADATA = {}\n\ndef check(candidate):\n    assert candidate(1, 2) == 3\n    \
                 assert candidate('a', 'b') == 'ab'\n",
        "entry_point": "add"
    });
    assert_eq!(reward(&verifier(), &human, code), 1.0);
    assert_eq!(reward(&verifier(), &human, &code.replace('+', "-")), 0.0);
    assert_eq!(
        reward(&verifier(), &human, "def sub(a, b): return a - b"),
        0.0
    );
    let called = json!({"fn_name": "add", "inputs": [[1, 2], [3, 4]], "outputs": [3, [7]]});
    assert_eq!(reward(&verifier(), &called, code), 1.0);
    let class = "class Solution:\n    def add(self, a, b):\n        return a + b";
    assert_eq!(reward(&verifier(), &called, class), 1.0);
    assert_eq!(reward(&verifier(), &called, &class.replace('+', "*")), 0.0);
}

fn objects() {
    // Classes of the setup, which both sides have; classes of the code, which only it has.
    let answer = json!({
        "setup": "class Node:\n    def __init__(self, value, next=None):\n        \
                  self.value, self.next = value, next",
        "asserts": [
            "node = reverse(Node(1, Node(2)))\nassert (node.value, node.next.value) == (2, 1)",
            "node = Node(1)\nnode.next = node\nassert is_cycle(node)",
            "node = None\nfor i in range(500): node = Node(i, node)\nassert length(node) == 500",
            "s = Stack()\ns.push(1)\ns.push(2)\nassert s.pop() == 2 and len(s) == 1 and s[0] == 1",
            "assert Stack() != 3 and isinstance(Stack(), Stack) and not isinstance(3, Stack)",
            "assert Vector(1) + Vector(2) == Vector(3) and (Vector(2) * 3).x == 6",
            "s = Stack()\ns.name = 'x'\nassert s.name == 'x' and str(s) == 'a stack'",
        ]
    });
    let code = "
def reverse(node):
    before = None
    while node: node.next, before, node = before, node, node.next
    return before
def is_cycle(node): return node.next is node
def length(node): return 0 if node is None else 1 + length(node.next)
class Stack:
    def __init__(self): self.items = []
    def push(self, x): self.items.append(x)
    def pop(self): return self.items.pop()
    def __len__(self): return len(self.items)
    def __getitem__(self, i): return self.items[i]
    def __str__(self): return 'a stack'
class Vector:
    def __init__(self, x): self.x = x
    def __add__(self, other): return Vector(self.x + other.x)
    def __mul__(self, k): return Vector(self.x * k)
    def __eq__(self, other): return self.x == other.x
";
    let fraction = Code {
        reward: CodeReward::PassFraction,
        ..verifier()
    };
    let explained = fraction.explain(&problem(&answer), code);
    println!("{:#?}", explained.steps);
    assert_eq!(explained.verdict.reward(), Some(1.0));
}

fn failing_functions() {
    let answer = json!({"asserts": ["assert f(1) == 2"]});
    let limits = Limits {
        wall: Duration::from_secs(2),
        ..Limits::default()
    };
    let quick = Code::python(Sandbox::new(options(Mode::Everything, limits)));
    for code in [
        "def f(x): return 3",
        "def g(x): return 2",
        "def f(x): raise ValueError",
        "def f(x): return f(x)",
        "def f(x):\n    while True: pass",
        "import time; time.sleep(10)",
        "raise KeyError('at once')",
        "def f(x) return 2",
        "",
        "def f(x):\n    while True: print('flood', flush=True)",
        "def f(x): return [0] * 10 ** 10",
    ] {
        assert_eq!(reward(&quick, &answer, code), 0.0, "{code}");
    }
}

fn unscorable() {
    let why = |verifier: &Code, answer: &str, code: &str| {
        let problem = Problem {
            answer: answer.to_owned(),
            ..problem(&Value::Null)
        };
        match verifier.verify(&problem, code) {
            Verdict::Unscorable { why } => why,
            verdict => panic!("{answer}: {verdict:?}"),
        }
    };
    let right = "def f(x): return x + 1";
    assert!(why(&verifier(), "no json", right).contains("problem 7 of test: code: the answer"));
    assert!(why(&verifier(), "{}", right).contains("there are no tests"));
    let broken = json!({"asserts": ["assert f(1) =="]}).to_string();
    assert!(why(&verifier(), &broken, right).contains("the tests are broken: SyntaxError"));
    let broken = json!({"setup": "1 / 0", "asserts": ["assert f(1) == 2"]}).to_string();
    assert!(why(&verifier(), &broken, right).contains("ZeroDivisionError"));
    let missing = Code {
        interpreter: vec!["no-such-python".to_owned()],
        ..verifier()
    };
    let good = json!({"asserts": ["assert f(1) == 2"]}).to_string();
    for answer in [&good, &sum().to_string()] {
        assert!(why(&missing, answer, right).contains("cannot execute no-such-python"));
    }
    // An interpreter that is none says nothing about the code.
    let none = Code {
        interpreter: vec!["false".to_owned()],
        ..verifier()
    };
    assert!(why(&none, &good, right).contains("false did not run the tests"));
    let mut open = options(Mode::NoLandlockEither, roomy());
    open.required = Level::Isolated;
    let refused = Code::python(Sandbox::new(open));
    assert!(why(&refused, &good, right).contains("isolated is required"));
    assert!(why(&refused, &sum().to_string(), right).contains("isolated is required"));
}

fn explanations() {
    let fraction = Code {
        reward: CodeReward::PassFraction,
        ..verifier()
    };
    let explained = fraction.explain(&problem(&sum()), "```python\nprint(3)\n```");
    assert_eq!(explained.extracted.as_deref(), Some("print(3)\n"));
    assert_eq!(
        explained.steps,
        [
            "passed: input \"1 2\\n\"",
            "failed: input \"-4 4\": printed \"3\\n\""
        ]
    );
    assert!(
        explained.why.starts_with("1 of 2 tests passed"),
        "{}",
        explained.why
    );
    let failing = fraction.explain(&problem(&sum()), "print(undefined)");
    assert!(failing.why.contains("NameError"), "{}", failing.why);
    let answer = json!({"asserts": ["assert f(1) == 1", "assert f(2) == 2"]});
    let explained = fraction.explain(&problem(&answer), "def f(x): return 1 // (2 - x)");
    assert_eq!(explained.steps[0], "passed: assert f(1) == 1");
    assert!(
        explained.steps[1].contains("ZeroDivisionError"),
        "{:?}",
        explained.steps
    );
    let exits = fraction.explain(&problem(&answer), "import os\ndef f(x): os._exit(0)");
    assert!(
        exits.steps[0].contains("the code under test ended"),
        "{:?}",
        exits.steps
    );
}

fn batches() {
    let problem = problem(&sum());
    let code: Vec<String> = (0..6).map(|i| format!("print({i})")).collect();
    let right = "print(sum(map(int, input().split())))";
    let mut completions: Vec<(&Problem, &str)> =
        code.iter().map(|code| (&problem, code.as_str())).collect();
    completions.push((&problem, right));
    let rewards = verify_all(&verifier(), &completions);
    let rewards: Vec<_> = rewards.iter().map(Verdict::reward).collect();
    assert_eq!(rewards[..6], [Some(0.0); 6]);
    assert_eq!(rewards[6], Some(1.0));
}

fn other_interpreters() {
    let shell = Code {
        interpreter: vec!["sh".to_owned()],
        file: "solution.sh".to_owned(),
        tags: vec!["sh".to_owned(), "bash".to_owned()],
        ..verifier()
    };
    let completion = "```bash\nread a b\necho $((a + b))\n```";
    assert_eq!(reward(&shell, &sum(), completion), 1.0);
}
