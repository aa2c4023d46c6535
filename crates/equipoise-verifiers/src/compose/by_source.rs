//! Different verifiers for problems from different sources.

use equipoise_core::Problem;

use crate::batch::verify_all;
use crate::verdict::{Explanation, Verdict, Verifier};

/// Asks the verifier that belongs to the problem's source.
///
/// A source is the name of a task, or a file: the problems of the file `train.jsonl` have the sources
/// `train.jsonl:1`, `train.jsonl:2`, … . A problem of any other source is unscorable, unless there is a
/// verifier for the rest.
///
/// ```
/// use equipoise_core::Problem;
/// use equipoise_verifiers::{BySource, Math, TextExtraction, Verifier, VerifierSpec};
///
/// let exact = VerifierSpec::new("exact_match").build()?;
/// let verifier = BySource::new(
///     vec![("sums.jsonl".into(), Box::new(Math::default())), ("words".into(), exact)],
///     None,
/// );
/// let problem = |source: &str, answer: &str| Problem {
///     id: 0,
///     prompt: "?".into(),
///     answer: answer.into(),
///     source: source.into(),
/// };
/// let reward = |source, answer| verifier.verify(&problem(source, answer), "1/2").reward();
/// assert_eq!(reward("sums.jsonl:7", "0.5"), Some(1.0));
/// assert_eq!(reward("words", "0.5"), Some(0.0));
/// assert_eq!(reward("elsewhere", "0.5"), None);
/// # Ok::<(), equipoise_verifiers::BuildError>(())
/// ```
#[derive(Debug)]
pub struct BySource {
    sources: Vec<(String, Box<dyn Verifier>)>,
    otherwise: Option<Box<dyn Verifier>>,
}

impl BySource {
    /// Asks the first verifier whose source fits, or `otherwise`.
    pub fn new(
        sources: Vec<(String, Box<dyn Verifier>)>,
        otherwise: Option<Box<dyn Verifier>>,
    ) -> Self {
        Self { sources, otherwise }
    }

    /// The verifier for a problem; the index of [`Self::otherwise`] follows those of the sources.
    fn choose(&self, problem: &Problem) -> Option<usize> {
        let fits = |source: &str| {
            let rest = problem.source.strip_prefix(source);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        };
        let found = self.sources.iter().position(|(source, _)| fits(source));
        found.or_else(|| self.otherwise.is_some().then_some(self.sources.len()))
    }

    fn verifier(&self, at: usize) -> Option<&dyn Verifier> {
        let chosen = self.sources.get(at).map(|(_, verifier)| verifier);
        chosen
            .or(self.otherwise.as_ref())
            .map(|verifier| &**verifier)
    }

    fn chosen(&self, problem: &Problem) -> Result<&dyn Verifier, Verdict> {
        let chosen = self.choose(problem).and_then(|at| self.verifier(at));
        chosen.ok_or_else(|| self.nobody(problem))
    }

    fn nobody(&self, problem: &Problem) -> Verdict {
        let known: Vec<&str> = self
            .sources
            .iter()
            .map(|(source, _)| source.as_str())
            .collect();
        let known = known.join(", ");
        let why = format_args!("no verifier for this source; there are some for {known}");
        Verdict::unscorable(problem, why)
    }
}

impl Verifier for BySource {
    fn name(&self) -> &str {
        "by_source"
    }

    fn verify(&self, problem: &Problem, completion: &str) -> Verdict {
        match self.chosen(problem) {
            Ok(verifier) => verifier.verify(problem, completion),
            Err(nobody) => nobody,
        }
    }

    fn verify_batch(&self, completions: &[(&Problem, &str)]) -> Vec<Verdict> {
        let chosen: Vec<Option<usize>> = completions
            .iter()
            .map(|(problem, _)| self.choose(problem))
            .collect();
        let mut verdicts: Vec<Option<Verdict>> = vec![None; completions.len()];
        for at in 0..=self.sources.len() {
            let places: Vec<usize> = (0..completions.len())
                .filter(|&place| chosen[place] == Some(at))
                .collect();
            let Some(verifier) = self.verifier(at).filter(|_| !places.is_empty()) else {
                continue;
            };
            let batch: Vec<_> = places.iter().map(|&place| completions[place]).collect();
            for (place, verdict) in places.into_iter().zip(verify_all(verifier, &batch)) {
                verdicts[place] = Some(verdict);
            }
        }
        verdicts
            .into_iter()
            .zip(completions)
            .map(|(verdict, (problem, _))| verdict.unwrap_or_else(|| self.nobody(problem)))
            .collect()
    }

    fn explain(&self, problem: &Problem, completion: &str) -> Explanation {
        match self.chosen(problem) {
            Ok(verifier) => verifier.explain(problem, completion),
            Err(nobody) => Explanation::of(nobody),
        }
    }
}
