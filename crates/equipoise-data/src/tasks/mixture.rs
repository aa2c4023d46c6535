//! Several families in one task.

use equipoise_core::{Problem, Stream};
use serde::{Deserialize, Serialize};

use super::{Family, PromptStyle};
use crate::task::{Task, TaskError};

/// One family of a [`Mixture`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixtureComponent {
    /// The family.
    pub family: Family,
    /// How often it is drawn, in any unit: only the ratios count; default 1.
    #[serde(default = "one")]
    pub weight: f64,
    /// The easiest and the hardest level that is drawn, each between them equally often.
    pub difficulty: (u32, u32),
}

fn one() -> f64 {
    1.0
}

/// Problems of several families, drawn with weights, each at a level drawn from a range.
///
/// The [`Problem::source`] of a problem is its family's name, so that rewards can be told apart, and
/// a verifier chosen, by family. With parts
///
/// ```text
/// family             weight   difficulty
/// linear_equations      2        1–3
/// number_sorting        1        2–2
/// ```
///
/// two problems in three are equations, two ninths of all of them at each of the levels 1 to 3.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mixture {
    /// The families; a family may stand here more than once.
    pub components: Vec<MixtureComponent>,
    /// How problems are written; default compact.
    #[serde(default)]
    pub prompt: PromptStyle,
}

impl Mixture {
    const NAME: &'static str = "mixture";

    /// What [`verifier`](Task::verifier) says where the families need different ones.
    pub const BY_SOURCE: &'static str = "by_source";

    /// The verifier of each family, at its hardest level here, by the source of its problems; in the
    /// order of the components, no family twice.
    pub fn verifiers(&self) -> Vec<(&'static str, &'static str)> {
        let mut hardest: Vec<(Family, u32)> = Vec::new();
        for component in &self.components {
            let (family, level) = (component.family, component.difficulty.1);
            match hardest.iter_mut().find(|(other, _)| *other == family) {
                Some((_, most)) => *most = level.max(*most),
                None => hardest.push((family, level)),
            }
        }
        hardest
            .into_iter()
            .map(|(family, level)| {
                let task = family.task(level, self.prompt);
                (task.name(), task.verifier())
            })
            .collect()
    }

    /// The component at a point of [0, 1) when they lie side by side.
    fn component(&self, point: f64) -> Option<&MixtureComponent> {
        let total: f64 = self
            .components
            .iter()
            .map(|component| component.weight)
            .sum();
        let mut left = point * total;
        let drawn = self.components.iter().find(|component| {
            left -= component.weight;
            left < 0.0
        });
        // Rounding may leave a point beyond the end.
        drawn.or_else(|| {
            self.components
                .iter()
                .rfind(|component| component.weight > 0.0)
        })
    }
}

impl Task for Mixture {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    /// The symbols of all families, in the order in which they first occur.
    fn alphabet(&self) -> Vec<String> {
        let mut symbols = Vec::new();
        for component in &self.components {
            let task = component.family.task(component.difficulty.1, self.prompt);
            for symbol in task.alphabet() {
                if !symbols.contains(&symbol) {
                    symbols.push(symbol);
                }
            }
        }
        symbols
    }

    fn problem(&self, id: u64, stream: &mut Stream) -> Problem {
        let point = stream.uniform();
        let Some(component) = self.component(point) else {
            return crate::task::problem(Self::NAME, id, String::new(), String::new());
        };
        let (easiest, hardest) = component.difficulty;
        let level = stream.between(i64::from(easiest), i64::from(hardest)) as u32;
        component
            .family
            .task(level, self.prompt)
            .problem(id, stream)
    }

    fn demonstration(&self, problem: &Problem, stream: &mut Stream) -> Option<String> {
        let source = problem.source.strip_suffix("/held_out");
        let source = source.unwrap_or(&problem.source);
        let mut components = self.components.iter();
        let component = components.find(|component| component.family.name() == source)?;
        let task = component.family.task(component.difficulty.0, self.prompt);
        task.demonstration(problem, stream)
    }

    /// The verifier that all families share, or [`BY_SOURCE`](Self::BY_SOURCE).
    fn verifier(&self) -> &'static str {
        match self.verifiers()[..] {
            [(_, first), ref rest @ ..] if rest.iter().all(|&(_, other)| other == first) => first,
            _ => Self::BY_SOURCE,
        }
    }

    fn validate(&self) -> Result<(), TaskError> {
        TaskError::check_any(Self::NAME, "components", &self.components)?;
        let error = |field, got: String, expected: String| {
            Err(TaskError {
                task: Self::NAME,
                field,
                got,
                expected,
            })
        };
        let weights: Vec<f64> = self.components.iter().map(|part| part.weight).collect();
        let usable = weights.iter().all(|weight| *weight >= 0.0);
        let total: f64 = weights.iter().sum();
        if !usable || total <= 0.0 || !total.is_finite() {
            return error(
                "components.weight",
                format!("{weights:?}"),
                "finite weights, none negative, not all zero".to_owned(),
            );
        }
        for component in &self.components {
            let (easiest, hardest) = component.difficulty;
            let levels = component.family.levels();
            if easiest > hardest || !levels.contains(&easiest) || !levels.contains(&hardest) {
                return error(
                    "components.difficulty",
                    format!("{:?}", component.difficulty),
                    format!(
                        "from {} to {} for {}, the smallest level not above the largest",
                        levels.start(),
                        levels.end(),
                        component.family.name()
                    ),
                );
            }
        }
        Ok(())
    }
}
