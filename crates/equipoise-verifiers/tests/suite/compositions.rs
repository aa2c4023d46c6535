//! Gates, extremes, products and chains.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use equipoise_core::Problem;
use equipoise_verifiers::{
    BySource, ExactNumber, Explanation, Extraction, FirstScorable, Format, Gated, GatedOptions,
    Maximum, Minimum, Part, Product, Verdict, Verifier, Weighted, verify_all,
};
use proptest::prelude::*;

use crate::{problem, reward, unscorable};

/// Says what the completion's word with its letter says, such as `a=0.5` or `a=right`, and counts how
/// often it is asked.
#[derive(Clone, Debug)]
struct Letter(&'static str, Arc<AtomicUsize>);

impl Letter {
    fn new(letter: &'static str) -> Self {
        Self(letter, Arc::default())
    }

    fn boxed(letter: &'static str) -> Box<dyn Verifier> {
        Box::new(Self::new(letter))
    }
}

impl Verifier for Letter {
    fn name(&self) -> &str {
        self.0
    }

    fn verify(&self, problem: &Problem, completion: &str) -> Verdict {
        self.1.fetch_add(1, Ordering::Relaxed);
        let word = completion.split_whitespace().find_map(|word| {
            let (letter, said) = word.split_once('=')?;
            (letter == self.0).then_some(said)
        });
        match word {
            Some("right") => Verdict::answer(self.0, true),
            Some("wrong") => Verdict::answer(self.0, false),
            Some(number) => Verdict::score(self.0, number.parse().unwrap()),
            None => Verdict::unscorable(problem, format_args!("no {}", self.0)),
        }
    }

    fn explain(&self, problem: &Problem, completion: &str) -> Explanation {
        let steps = vec![format!("looked for {}", self.0)];
        Explanation {
            steps,
            ..Explanation::of(self.verify(problem, completion))
        }
    }
}

fn pair() -> Vec<Box<dyn Verifier>> {
    vec![Letter::boxed("a"), Letter::boxed("b")]
}

fn parts(verifier: &dyn Verifier, completion: &str) -> Vec<(String, f64, f64)> {
    match verifier.verify(&problem(""), completion) {
        Verdict::Scored { parts, .. } => {
            let tuple = |part: Part| (part.name, part.score, part.weight);
            parts.into_iter().map(tuple).collect()
        }
        Verdict::Unscorable { why } => panic!("{why}"),
    }
}

fn part(name: &str, score: f64, weight: f64) -> (String, f64, f64) {
    (name.to_owned(), score, weight)
}

#[test]
fn extremes_and_products_by_hand() {
    let minimum = Minimum::new(pair()).unwrap();
    let maximum = Maximum::new(pair()).unwrap();
    let product = Product::new(pair()).unwrap();
    let all: [&dyn Verifier; 3] = [&minimum, &maximum, &product];
    for (verifier, expected) in all.into_iter().zip([0.25, 0.5, 0.125]) {
        assert_eq!(reward(verifier, "", "a=0.5 b=0.25"), expected);
        assert_eq!(
            parts(verifier, "a=0.5 b=0.25"),
            [part("a", 0.5, 1.0), part("b", 0.25, 1.0)]
        );
        assert_eq!(
            unscorable(verifier, "", "a=1"),
            "b: problem 7 of test: no b"
        );
    }
    let correct = |verifier: &dyn Verifier, text| verifier.verify(&problem(""), text).correct();
    for (completion, every, any) in [
        ("a=right b=right", Some(true), Some(true)),
        ("a=right b=wrong", Some(false), Some(true)),
        ("a=right b=0", Some(true), Some(true)),
        ("a=wrong b=1", Some(false), Some(false)),
        ("a=1 b=1", None, None),
    ] {
        assert_eq!(correct(&minimum, completion), every, "{completion}");
        assert_eq!(correct(&product, completion), every, "{completion}");
        assert_eq!(correct(&maximum, completion), any, "{completion}");
    }
    assert_eq!(
        Product::new(Vec::new()).unwrap_err().to_string(),
        "product needs at least one verifier"
    );
}

fn gated(options: GatedOptions) -> (Gated, Letter) {
    let inner = Letter::new("b");
    let gated = Gated::new(Letter::boxed("a"), Box::new(inner.clone()), options).unwrap();
    (gated, inner)
}

#[test]
fn a_gate_decides_who_is_asked() {
    let options = GatedOptions {
        threshold: 0.5,
        fallback: -0.25,
        closed_is_wrong: true,
    };
    let (verifier, inner) = gated(options);
    assert_eq!(reward(&verifier, "", "a=0.4 b=right"), -0.25);
    assert_eq!(inner.1.load(Ordering::Relaxed), 0, "the gate was closed");
    assert_eq!(
        verifier.verify(&problem(""), "a=0.4").correct(),
        Some(false)
    );
    assert_eq!(parts(&verifier, "a=0.4"), [part("a", 0.4, 0.0)]);
    assert_eq!(reward(&verifier, "", "a=0.5 b=right"), 1.0);
    assert_eq!(
        verifier.verify(&problem(""), "a=0.5 b=right").correct(),
        Some(true)
    );
    assert_eq!(
        parts(&verifier, "a=0.5 b=0.75"),
        [part("a", 0.5, 0.0), part("b", 0.75, 1.0)]
    );
    // Where the verifier does not look at the answer, the gate may.
    assert_eq!(
        verifier.verify(&problem(""), "a=right b=0.1").correct(),
        Some(true)
    );
    assert_eq!(verifier.verify(&problem(""), "a=1 b=0.1").correct(), None);
    assert_eq!(
        unscorable(&verifier, "", "b=1"),
        "a: problem 7 of test: no a"
    );
    assert_eq!(
        unscorable(&verifier, "", "a=1"),
        "b: problem 7 of test: no b"
    );
    let (silent, _) = gated(GatedOptions {
        closed_is_wrong: false,
        ..options
    });
    assert_eq!(silent.verify(&problem(""), "a=0.4").correct(), None);
    let bad = GatedOptions {
        fallback: f64::NAN,
        ..options
    };
    let error = Gated::new(Letter::boxed("a"), Letter::boxed("b"), bad).unwrap_err();
    assert_eq!(error.option, "fallback");
}

#[test]
fn a_gate_keeps_a_batch_small() {
    let (verifier, inner) = gated(GatedOptions::default());
    let one = problem("");
    let texts = ["a=0 b=1", "a=1 b=0.5", "a=0", "b=1", "a=1 b=0.25"];
    let pairs: Vec<(&Problem, &str)> = texts.iter().map(|text| (&one, *text)).collect();
    let rewards: Vec<_> = verify_all(&verifier, &pairs)
        .iter()
        .map(Verdict::reward)
        .collect();
    assert_eq!(rewards, [Some(0.0), Some(0.5), Some(0.0), None, Some(0.25)]);
    assert_eq!(inner.1.load(Ordering::Relaxed), 2);
}

#[test]
fn the_first_that_can_judge_does() {
    let second = Letter::new("b");
    let chain = FirstScorable::new(vec![Letter::boxed("a"), Box::new(second.clone())]).unwrap();
    assert_eq!(reward(&chain, "", "a=0.5 b=1"), 0.5);
    assert_eq!(second.1.load(Ordering::Relaxed), 0, "the first could judge");
    assert_eq!(reward(&chain, "", "b=right"), 1.0);
    assert_eq!(chain.verify(&problem(""), "b=right").correct(), Some(true));
    assert_eq!(parts(&chain, "b=0.25"), [part("b", 0.25, 1.0)]);
    assert_eq!(
        unscorable(&chain, "", ""),
        "a: problem 7 of test: no a; b: problem 7 of test: no b"
    );
    let said = chain.explain(&problem(""), "b=0.25");
    assert_eq!(
        said.steps,
        [
            "a: unscorable: problem 7 of test: no a",
            "a: looked for a",
            "b: 0.25: rewarded with 0.25",
            "b: looked for b"
        ]
    );
}

#[test]
fn names_of_parts_are_all_different() {
    let same = || Letter::boxed("a");
    let verifiers = vec![same(), Letter::boxed("a_2"), same(), same()];
    let names: Vec<String> = parts(&Minimum::new(verifiers).unwrap(), "a=1 a_2=1")
        .into_iter()
        .map(|(name, ..)| name)
        .collect();
    assert_eq!(names, ["a", "a_2", "a_3", "a_4"]);
}

#[test]
fn the_parts_of_parts_are_recorded_with_weight_0() {
    let inner = Weighted::new(vec![(Letter::boxed("a"), 0.5), (Letter::boxed("b"), 0.25)]).unwrap();
    let outer = Weighted::new(vec![(Box::new(inner), 2.0), (Letter::boxed("a"), 1.0)]).unwrap();
    assert_eq!(
        parts(&outer, "a=1 b=0.5"),
        [
            part("weighted", 0.625, 2.0),
            part("weighted.a", 1.0, 0.0),
            part("weighted.b", 0.5, 0.0),
            part("a", 1.0, 1.0),
        ]
    );
    assert_eq!(reward(&outer, "", "a=1 b=0.5"), 2.25);
}

/// The common case: correctness only counts in the right form.
#[test]
fn form_gates_correctness() {
    let format = Format {
        open: "<think>".into(),
        close: "</think>".into(),
    };
    let exact = ExactNumber {
        extraction: Extraction::AfterTag("</think>".into()),
    };
    let options = GatedOptions::default();
    let verifier = Gated::new(Box::new(format), Box::new(exact), options).unwrap();
    assert_eq!(reward(&verifier, "34", "<think>x</think>34"), 1.0);
    assert_eq!(reward(&verifier, "34", "34"), 0.0);
    let said = verifier.explain(&problem("34"), "<think>x</think> 34");
    assert_eq!(said.extracted.as_deref(), Some("34"));
    assert!(
        said.steps.iter().any(|step| step.contains("equals")),
        "{:?}",
        said.steps
    );
}

proptest! {
    /// A batch says what its completions say one by one, whatever the composition; and the weighted
    /// sum of the parts of a sum is the reward.
    #[test]
    fn batches_and_single_verdicts_agree(
        texts in proptest::collection::vec(r"(a=(0|0\.5|1|right|wrong) )?(b=(0|0\.5|1|right|wrong) )?", 0..20),
    ) {
        let one = problem("");
        let pairs: Vec<(&Problem, &str)> = texts.iter().map(|text| (&one, text.as_str())).collect();
        let sum = Weighted::new(vec![(Letter::boxed("a"), 0.5), (Letter::boxed("b"), 2.0)]).unwrap();
        let all: [Box<dyn Verifier>; 6] = [
            Box::new(Minimum::new(pair()).unwrap()),
            Box::new(Maximum::new(pair()).unwrap()),
            Box::new(Product::new(pair()).unwrap()),
            Box::new(gated(GatedOptions::default()).0),
            Box::new(FirstScorable::new(pair()).unwrap()),
            Box::new(sum),
        ];
        for verifier in &all {
            let batch = verify_all(&**verifier, &pairs);
            for (verdict, text) in batch.iter().zip(&texts) {
                prop_assert_eq!(verdict, &verifier.verify(&one, text));
                prop_assert_eq!(verdict, &verifier.explain(&one, text).verdict);
            }
            if verifier.name() == "weighted" {
                for verdict in &batch {
                    if let Verdict::Scored { reward, parts, .. } = verdict {
                        let sum: f64 = parts.iter().map(|part| part.weight * part.score).sum();
                        prop_assert_eq!(*reward, sum);
                    }
                }
            }
        }
    }
}

#[test]
fn sources_have_verifiers_of_their_own_in_a_batch_too() {
    let from = |source: &str| Problem {
        source: source.to_owned(),
        ..problem("1")
    };
    let by_source = BySource::new(
        vec![
            ("a".into(), Letter::boxed("a")),
            ("dir/b.jsonl".into(), Letter::boxed("b")),
        ],
        None,
    );
    let problems = ["a", "dir/b.jsonl:12", "dir/b.jsonl", "ab", "c", "a:1"].map(from);
    let batch: Vec<_> = problems
        .iter()
        .map(|problem| (problem, "a=0.5 b=0.25"))
        .collect();
    let rewards: Vec<_> = verify_all(&by_source, &batch)
        .iter()
        .map(Verdict::reward)
        .collect();
    let expected = [Some(0.5), Some(0.25), Some(0.25), None, None, Some(0.5)];
    assert_eq!(rewards, expected);
    for ((problem, text), expected) in batch.iter().zip(expected) {
        assert_eq!(by_source.verify(problem, text).reward(), expected);
        assert_eq!(by_source.explain(problem, text).verdict.reward(), expected);
    }
    let rest = BySource::new(Vec::new(), Some(Letter::boxed("b")));
    assert_eq!(rest.verify(&problems[4], "a=1 b=0.25").reward(), Some(0.25));
}
