//! What verifiers made of verifiers share: who is asked when, and how it is told.

mod by_source;
mod extremes;
mod fallback;
mod gated;

use equipoise_core::Problem;

use crate::batch::verify_all;
use crate::verdict::{Explanation, Part, Verdict, Verifier};

/// Makes a [`Composition`] a [`Verifier`].
macro_rules! composed_verifier {
    ($type:ty, $name:literal) => {
        impl $crate::verdict::Verifier for $type {
            fn name(&self) -> &str {
                $name
            }

            fn verify(
                &self,
                problem: &equipoise_core::Problem,
                completion: &str,
            ) -> $crate::verdict::Verdict {
                $crate::compose::verify(self, problem, completion)
            }

            fn verify_batch(
                &self,
                completions: &[(&equipoise_core::Problem, &str)],
            ) -> Vec<$crate::verdict::Verdict> {
                $crate::compose::verify_batch(self, completions)
            }

            fn explain(
                &self,
                problem: &equipoise_core::Problem,
                completion: &str,
            ) -> $crate::verdict::Explanation {
                $crate::compose::explain(self, problem, completion)
            }
        }
    };
}
pub(crate) use composed_verifier;

pub use by_source::BySource;
pub use extremes::{Maximum, Minimum, NoVerifiers, Product};
pub use fallback::FirstScorable;
pub use gated::{Gated, GatedOptions};

/// A verifier inside another one.
#[derive(Debug)]
pub(crate) struct Child {
    verifier: Box<dyn Verifier>,
    /// Its name among its siblings.
    name: String,
}

impl Child {
    /// These verifiers, by names that are all different: the second `pattern` is `pattern_2`.
    pub(crate) fn list(verifiers: impl IntoIterator<Item = Box<dyn Verifier>>) -> Vec<Self> {
        let mut children: Vec<Self> = Vec::new();
        for verifier in verifiers {
            let first = verifier.name().to_owned();
            let mut name = first.clone();
            let mut number = 1;
            while children.iter().any(|child| child.name == name) {
                number += 1;
                name = format!("{first}_{number}");
            }
            children.push(Self { verifier, name });
        }
        children
    }

    /// The same for a number that is known.
    pub(crate) fn all<const N: usize>(verifiers: [Box<dyn Verifier>; N]) -> [Self; N] {
        let mut children = Self::list(verifiers).into_iter();
        std::array::from_fn(|_| {
            children
                .next()
                .expect("there is one child for each verifier")
        })
    }

    /// Its name among its siblings.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn verify(&self, problem: &Problem, completion: &str) -> Verdict {
        let verdict = self.verifier.verify(problem, completion);
        verdict.checked(problem, self.verifier.name())
    }

    fn explain(&self, problem: &Problem, completion: &str) -> Explanation {
        let explanation = self.verifier.explain(problem, completion);
        explanation.checked(problem, self.verifier.name())
    }
}

/// What the children have said about one completion so far, in their order; `None` for those that
/// were not asked.
pub(crate) struct Judged(Vec<Option<Verdict>>);

impl Judged {
    /// What child `at` has said.
    pub(crate) fn get(&self, at: usize) -> Option<&Verdict> {
        self.0.get(at)?.as_ref()
    }

    /// How many children have been asked, if they are asked in order.
    pub(crate) fn asked(&self) -> usize {
        self.0.iter().flatten().count()
    }

    /// The verdict of a single child; where it could not judge, the composition's verdict.
    pub(crate) fn only(&self) -> Result<&Verdict, Verdict> {
        match self.get(0) {
            Some(verdict @ Verdict::Scored { .. }) => Ok(verdict),
            Some(unscorable) => Err(unscorable.clone()),
            None => Err(Verdict::Unscorable {
                why: "nothing was judged".to_owned(),
            }),
        }
    }

    /// The first child that could not judge, with its reason, as the composition's verdict.
    pub(crate) fn unscorable(&self, children: &[Child]) -> Option<Verdict> {
        let mut said = self.0.iter().zip(children);
        said.find_map(|(verdict, child)| match verdict {
            Some(Verdict::Unscorable { why }) => Some(Verdict::Unscorable {
                why: format!("{}: {why}", child.name),
            }),
            _ => None,
        })
    }

    /// The parts of every child that judged, with the weight that `weight` gives it. A child that is
    /// a composition is followed by its own parts, which are named after it and have weight 0: they
    /// are for the record, and the sum of weights times scores has each reward once.
    pub(crate) fn parts(&self, children: &[Child], weight: impl Fn(usize) -> f64) -> Vec<Part> {
        let mut all = Vec::with_capacity(children.len());
        for (at, (verdict, child)) in self.0.iter().zip(children).enumerate() {
            let Some(Verdict::Scored { reward, parts, .. }) = verdict else {
                continue;
            };
            all.push(Part {
                name: child.name.clone(),
                score: *reward,
                weight: weight(at),
            });
            // What a verifier says of itself is the part above.
            let own = |part: &Part| part.name == child.verifier.name() && part.score == *reward;
            let inner = &parts[usize::from(parts.first().is_some_and(own))..];
            all.extend(inner.iter().map(|part| Part {
                name: format!("{}.{}", child.name, part.name),
                score: part.score,
                weight: 0.0,
            }));
        }
        all
    }

    /// The verdict of a verifier that makes a reward of its own from what its children say: its part
    /// has weight 1, and theirs 0.
    pub(crate) fn rescored(
        &self,
        name: &str,
        reward: f64,
        children: &[Child],
        correct: Option<bool>,
    ) -> Verdict {
        let mut parts = vec![Part {
            name: name.to_owned(),
            score: reward,
            weight: 1.0,
        }];
        parts.extend(self.parts(children, |_| 0.0));
        Verdict::Scored {
            reward,
            correct,
            parts,
        }
    }

    /// Whether all children that look at the answer call it right; `None` if none looks.
    pub(crate) fn all_correct(&self) -> Option<bool> {
        let said = self.0.iter().flatten().filter_map(Verdict::correct);
        said.reduce(|one, other| one && other)
    }

    /// Whether any child calls the answer right; `None` if none looks at it.
    pub(crate) fn any_correct(&self) -> Option<bool> {
        let said = self.0.iter().flatten().filter_map(Verdict::correct);
        said.reduce(|one, other| one || other)
    }
}

/// A verifier made of others.
pub(crate) trait Composition: Verifier {
    /// Those it is made of.
    fn children(&self) -> &[Child];

    /// Which child is asked next about a completion; `None` if enough is known. By default all are
    /// asked, in order.
    fn next(&self, judged: &Judged) -> Option<usize> {
        let asked = judged.asked();
        (asked < self.children().len()).then_some(asked)
    }

    /// The verdict, once nobody else is asked.
    fn combine(&self, problem: &Problem, completion: &str, judged: &Judged) -> Verdict;

    /// What [`Verifier::explain`] tells besides what the children say.
    fn steps(&self, completion: &str, steps: &mut Vec<String>) {
        let _ = (completion, steps);
    }
}

fn nobody(composition: &impl Composition) -> Judged {
    Judged(composition.children().iter().map(|_| None).collect())
}

/// [`Verifier::verify`] of a composition.
pub(crate) fn verify(
    composition: &impl Composition,
    problem: &Problem,
    completion: &str,
) -> Verdict {
    let mut judged = nobody(composition);
    while let Some(at) = composition.next(&judged) {
        judged.0[at] = Some(composition.children()[at].verify(problem, completion));
    }
    let verdict = composition.combine(problem, completion, &judged);
    verdict.checked(problem, composition.name())
}

/// [`Verifier::verify_batch`] of a composition: in each round every child gets, as one batch, the
/// completions it is asked about, so that a child that works on batches can, and a child nobody asks
/// costs nothing.
pub(crate) fn verify_batch(
    composition: &impl Composition,
    completions: &[(&Problem, &str)],
) -> Vec<Verdict> {
    let mut judged: Vec<Judged> = completions.iter().map(|_| nobody(composition)).collect();
    loop {
        let asked: Vec<Option<usize>> = judged.iter().map(|one| composition.next(one)).collect();
        if asked.iter().all(Option::is_none) {
            break;
        }
        for (child_at, child) in composition.children().iter().enumerate() {
            let places: Vec<usize> = (0..completions.len())
                .filter(|&place| asked[place] == Some(child_at))
                .collect();
            if places.is_empty() {
                continue;
            }
            let batch: Vec<_> = places.iter().map(|&place| completions[place]).collect();
            let verdicts = verify_all(&*child.verifier, &batch);
            for (place, verdict) in places.into_iter().zip(verdicts) {
                judged[place].0[child_at] = Some(verdict);
            }
        }
    }
    completions
        .iter()
        .zip(&judged)
        .map(|(&(problem, completion), judged)| {
            let verdict = composition.combine(problem, completion, judged);
            verdict.checked(problem, composition.name())
        })
        .collect()
}

/// [`Verifier::explain`] of a composition.
pub(crate) fn explain(
    composition: &impl Composition,
    problem: &Problem,
    completion: &str,
) -> Explanation {
    let mut judged = nobody(composition);
    // What a verifier that looks at the answer has found comes before what others have.
    let (mut steps, mut rewards) = (Vec::new(), Vec::new());
    let (mut answer, mut other) = (None, None);
    while let Some(at) = composition.next(&judged) {
        let child = &composition.children()[at];
        let said = child.explain(problem, completion);
        let name = &child.name;
        let reward = match said.verdict.reward() {
            Some(reward) => reward.to_string(),
            None => "unscorable".to_owned(),
        };
        steps.push(format!("{name}: {reward}: {}", said.why));
        steps.extend(said.steps.iter().map(|step| format!("{name}: {step}")));
        rewards.push(format!("{name} {reward}"));
        match said.verdict.correct() {
            Some(_) => answer = answer.or(said.extracted),
            None => other = other.or(said.extracted),
        }
        judged.0[at] = Some(said.verdict);
    }
    composition.steps(completion, &mut steps);
    let verdict = composition.combine(problem, completion, &judged);
    let mut explanation = Explanation::of(verdict.checked(problem, composition.name()));
    if explanation.verdict.reward().is_some() && !rewards.is_empty() {
        explanation.why = format!("{}: {}", explanation.why, rewards.join(", "));
    }
    Explanation {
        extracted: answer.or(other),
        steps,
        ..explanation
    }
}
