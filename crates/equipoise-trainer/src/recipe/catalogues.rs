//! From the names and options of a recipe to estimators, objectives and reducers.

use equipoise_advantages::AdvantageEstimator;
use equipoise_aggregation::Reducer;
use equipoise_objectives::PolicyObjective;

use super::choice::{Choice, Value};
use super::error::{Problem, nearest};
use super::rl::RlStage;

/// What a stage chose from the catalogues, built.
#[derive(Debug)]
pub struct Choices {
    /// How rewards become advantages.
    pub estimator: Box<dyn AdvantageEstimator>,
    /// The policy objective.
    pub objective: Box<dyn PolicyObjective>,
    /// How token terms become one loss.
    pub aggregation: Box<dyn Reducer>,
    /// The same for the divergence, if one is weighed.
    pub kl_aggregation: Option<Box<dyn Reducer>>,
}

impl RlStage {
    /// Builds what the stage chose.
    ///
    /// # Errors
    /// Every name that is in no catalogue, every option that its entry does not have or whose value is
    /// outside its range, with keys below the stage's.
    pub fn choices(&self) -> Result<Choices, Vec<Problem>> {
        let estimator = estimator(&self.estimator);
        let objective = objective(&self.objective);
        let aggregation = aggregation("aggregation", &self.aggregation);
        let kl =
            (self.kl_aggregation.as_ref()).map(|rule| self::aggregation("kl_aggregation", rule));
        match (estimator, objective, aggregation, kl.transpose()) {
            (Ok(estimator), Ok(objective), Ok(aggregation), Ok(kl_aggregation)) => Ok(Choices {
                estimator,
                objective,
                aggregation,
                kl_aggregation,
            }),
            (estimator, objective, aggregation, kl) => Err([
                estimator.err(),
                objective.err(),
                aggregation.err(),
                kl.err(),
            ]
            .into_iter()
            .flatten()
            .collect()),
        }
    }
}

/// What differs between the catalogues: they share no code, so that each crate stands alone.
macro_rules! build {
    ($krate:ident, $key:expr, $choice:expr) => {{
        let (key, choice): (&str, &Choice) = ($key, $choice);
        let problem = |what: String| Problem {
            key: key.into(),
            what,
        };
        if let Err(error) = $krate::resolve(choice.name()) {
            let mut known: Vec<String> = $krate::CATALOGUE
                .iter()
                .map(|entry| entry.name.to_owned())
                .collect();
            let listed = known.join(", ");
            known.extend($krate::ALIASES.iter().map(|alias| alias.name.to_owned()));
            return Err(problem(match nearest(choice.name(), &known) {
                Some(near) if near != choice.name() => format!(
                    "unknown value {:?}, did you mean `{near}`?; the choices are {listed}",
                    choice.name()
                ),
                _ => error.to_string(),
            }));
        }
        let mut options = $krate::Options::default();
        for (option, value) in &choice.options {
            let setting = match value {
                Value::Number(number) => $krate::Setting::Number(*number),
                Value::Word(word) => $krate::Setting::Word(word),
                Value::Flag(flag) => $krate::Setting::Flag(*flag),
            };
            options.set(option, setting).map_err(|error| Problem {
                key: format!("{key}.{option}"),
                what: error.to_string(),
            })?;
        }
        $krate::by_name(choice.name(), &options).map_err(|error| problem(error.to_string()))
    }};
}

fn estimator(choice: &Choice) -> Result<Box<dyn AdvantageEstimator>, Problem> {
    let estimator: Result<Box<dyn AdvantageEstimator>, Problem> =
        build!(equipoise_advantages, "estimator", choice);
    let estimator = estimator?;
    let needs = estimator.needs();
    let missing = [
        (needs.values, "a value model"),
        (needs.kl, "the divergence of every token in the reward"),
        (
            needs.prior,
            "an estimate of every prompt's value from outside the step",
        ),
        (
            needs.probabilities,
            "the squared probabilities of the whole vocabulary",
        ),
        (needs.advantages, "advantages from outside"),
    ];
    match missing.iter().find(|(needed, _)| *needed) {
        Some((_, what)) => Err(Problem {
            key: "estimator".into(),
            what: format!(
                "{} needs {what}, which this trainer does not supply; the crate equipoise-advantages \
                 has it for programs that do",
                estimator.name()
            ),
        }),
        None => Ok(estimator),
    }
}

fn objective(choice: &Choice) -> Result<Box<dyn PolicyObjective>, Problem> {
    build!(equipoise_objectives, "objective", choice)
}

fn aggregation(key: &str, choice: &Choice) -> Result<Box<dyn Reducer>, Problem> {
    build!(equipoise_aggregation, key, choice)
}

/// Replaces an alias by the name it stands for, and says so; other names are left as they are.
macro_rules! canonical {
    ($krate:ident, $key:expr, $choice:expr, $notes:expr) => {{
        let choice: &mut Choice = $choice;
        if let Ok((entry, Some(alias))) = $krate::resolve(choice.name()) {
            $notes.push(format!(
                "{} = {:?} is `{}`: {}",
                $key, alias.name, entry.name, alias.note
            ));
            choice.name = Some(entry.name.into());
        }
    }};
}

/// Puts catalogue names in the place of aliases, with a note for each.
pub(super) fn resolve_aliases(stage: &mut RlStage, notes: &mut Vec<String>) {
    canonical!(
        equipoise_advantages,
        "estimator",
        &mut stage.estimator,
        notes
    );
    canonical!(
        equipoise_objectives,
        "objective",
        &mut stage.objective,
        notes
    );
    canonical!(
        equipoise_aggregation,
        "aggregation",
        &mut stage.aggregation,
        notes
    );
    if let Some(rule) = &mut stage.kl_aggregation {
        canonical!(equipoise_aggregation, "kl_aggregation", rule, notes);
    }
}

/// Whether the entry of that name has the option.
pub(super) fn aggregation_has_option(name: &str, option: &str) -> bool {
    equipoise_aggregation::resolve(name).is_ok_and(|(entry, _)| entry.options.contains(&option))
}
