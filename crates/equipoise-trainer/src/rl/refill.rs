//! Dynamic sampling: groups whose rewards are all equal are sampled again with other problems.

use equipoise_core::Problem;
use equipoise_data::ProblemSource;
use equipoise_data::curriculum::{DynamicSampling, Next, Refill, RefillSize};

use super::Rollout;
use crate::TrainError;

/// The number of the first problem that refills take. The problems of the steps themselves never get
/// there, so a run passes through its data in the same order with and without refills, and where a
/// step's refills begin is a function of the step alone.
const FIRST: u64 = 1 << 40;

/// Fills a rollout with groups that have a signal (DAPO, arXiv:2503.14476, section 3.2): groups without
/// are dropped, and as many others are sampled, in at most `rounds` rounds, the first one included. If
/// groups are still missing then, the last of those without a signal take their places, so that a step
/// always has as many groups.
///
/// `sample` makes the rollout of some problems; `step` counts from the start of the run.
pub(super) fn fill(
    first: Rollout,
    rounds: u32,
    step: u64,
    source: &dyn ProblemSource,
    mut sample: impl FnMut(Vec<Problem>) -> Result<Rollout, TrainError>,
) -> Result<(Rollout, Refill), TrainError> {
    let groups = first.groups();
    let sampling = DynamicSampling {
        groups,
        max_rounds: rounds,
        refill: RefillSize::Missing,
    };
    let mut refill = sampling.start().map_err(|error| {
        // The recipe was checked, so this is a group-less step at most.
        TrainError::Assembly(format!("dynamic_sampling_rounds: {error}"))
    })?;
    // As many numbers as a step can need, so that no two steps take the same problem.
    let mut number = FIRST + step * groups as u64 * u64::from(rounds);
    let (mut kept, mut next) = choose(first, &mut refill);
    while let Next::Draw(count) = next {
        let problems = (number..number + count as u64)
            .map(|n| source.train(n))
            .collect();
        number += count as u64;
        let (more, after) = choose(sample(problems)?, &mut refill);
        kept.append(more);
        next = after;
    }
    Ok((kept, refill))
}

/// The groups of a round that stay, and what is to be done then.
fn choose(mut round: Rollout, refill: &mut Refill) -> (Rollout, Next) {
    let offered = refill.offer(&round.signals());
    let mut chosen = offered.kept;
    if let Next::GiveUp { missing } = offered.next {
        let dropped: Vec<usize> = (0..round.groups())
            .filter(|group| !chosen.contains(group))
            .collect();
        chosen.extend(&dropped[dropped.len().saturating_sub(missing)..]);
    }
    round.keep(&chosen);
    (round, offered.next)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Rl;
    use super::*;
    use crate::Assembly;
    use crate::recipe::{Recipe, Stage};

    /// The stage of the smallest recipe on a fresh model, where completions with a certain symbol are
    /// rewarded; few have it.
    fn stage(rounds: &str) -> Rl {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/tiny.toml");
        let text = std::fs::read_to_string(path).unwrap();
        let verifier = "[verifier]\nkind = \"number\"\nformat_weight = 0.1\n";
        assert!(text.contains(verifier));
        let text = text
            .replace(
                verifier,
                "[verifier]\nname = \"pattern\"\npattern = \"7.*7.*7\"\n",
            )
            .replace(
                "samples_per_prompt = 4\n",
                &format!("samples_per_prompt = 4\n{rounds}"),
            );
        let recipe = Recipe::parse(&text, "tiny", &[]).unwrap();
        let Some(Stage::Rl(stage)) = recipe.stages.get(1).cloned() else {
            panic!("the second stage is no reinforcement");
        };
        Rl::new(
            Assembly::new(recipe).unwrap(),
            stage,
            "rl".into(),
            1,
            0,
            None,
        )
        .unwrap()
    }

    #[test]
    fn groups_without_a_signal_are_replaced_and_the_others_stay() {
        let mut plain = stage("");
        let mut dynamic = stage("dynamic_sampling_rounds = 40\n");
        for step in 0..3 {
            let before = plain.rollout(step).unwrap();
            let rollout = dynamic.rollout(step).unwrap();
            let present = |rollout: &Rollout| -> Vec<bool> {
                let signals = rollout.signals().into_iter();
                signals
                    .map(|signal| signal == equipoise_data::curriculum::Signal::Present)
                    .collect()
            };
            assert!(present(&before).contains(&false), "nothing to replace");
            assert_eq!(present(&rollout), [true; 4]);
            let refill = rollout.refill().unwrap();
            assert!(refill.rounds > 1 && refill.drawn > 4 && refill.kept == 4);
            // What had a signal is kept as it was, first.
            let kept: Vec<usize> = (0..4).filter(|&group| present(&before)[group]).collect();
            for (place, group) in kept.into_iter().enumerate() {
                let texts =
                    |rollout: &Rollout, at: usize| rollout.texts()[at * 4..at * 4 + 4].to_vec();
                assert_eq!(texts(&rollout, place), texts(&before, group));
            }
            // The same step again is the same, whatever came before it.
            let again = stage("dynamic_sampling_rounds = 40\n")
                .rollout(step)
                .unwrap();
            assert_eq!(again.texts(), rollout.texts());
        }
    }

    #[test]
    fn a_step_has_as_many_groups_when_the_rounds_are_used_up() {
        let rollout = stage("dynamic_sampling_rounds = 2\n").rollout(0).unwrap();
        assert_eq!(rollout.completions().len(), 16);
        let refill = rollout.refill().unwrap();
        assert!(refill.rounds == 2 && refill.missing() > 0, "{refill:?}");
        assert_eq!(refill.kept + refill.missing(), 4);
    }
}
