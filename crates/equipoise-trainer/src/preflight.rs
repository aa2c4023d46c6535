//! What can be known to fail is refused before a run writes anything.

use equipoise_core::Problem;

use crate::recipe::Stage;
use crate::{Assembly, TrainError};

/// How many problems of an endless source are looked at.
const LOOKED_AT: u64 = 256;

/// Checks that every stage can begin, that every problem of a file (or the first few hundred of an
/// endless source) can be tokenized, and that it fits into the model with its completion.
pub(crate) fn check(assembly: &Assembly) -> Result<(), TrainError> {
    let source = &assembly.source;
    let (mut imitates, mut reinforces) = (false, false);
    for (at, stage) in assembly.recipe.stages.iter().enumerate() {
        let key = assembly.recipe.stage_key(at);
        match stage {
            Stage::Sft(_) if source.demonstration(0).is_none() => {
                return Err(TrainError::Assembly(format!(
                    "{key}: the data has no demonstrations to imitate; add a \"completion\" to its \
                     rows or remove the stage"
                )));
            }
            Stage::Rl(_) if source.is_empty() => {
                let reason = format!("{key}: the data holds no training problem");
                return Err(TrainError::Assembly(reason));
            }
            Stage::Sft(_) => imitates = true,
            Stage::Rl(_) => reinforces = true,
        }
    }
    for problem in source.held_out() {
        prompt(assembly, problem)?;
    }
    if reinforces {
        for number in 0..source.len().unwrap_or(LOOKED_AT) {
            prompt(assembly, &source.nth_problem(number))?;
        }
    }
    if imitates {
        for number in 0..source.demonstrations().unwrap_or(LOOKED_AT) {
            demonstration(assembly, number)?;
        }
    }
    Ok(())
}

/// A problem that is sampled: its prompt and the longest completion must fit.
fn prompt(assembly: &Assembly, problem: &Problem) -> Result<(), TrainError> {
    let length = tokens(assembly, problem, &problem.prompt)?;
    let limit = assembly.decoder.config().max_position_embeddings;
    let new = assembly.recipe.sampler.max_new_tokens;
    // The last new token is never fed back.
    if length.saturating_add(new) - 1 <= limit {
        return Ok(());
    }
    Err(TrainError::Assembly(format!(
        "{}: the prompt's {length} tokens and sampler.max_new_tokens = {new} do not fit into \
         max_position_embeddings = {limit}: lower the one or raise the other",
        problem.source
    )))
}

/// A demonstration: all of it but the last token is fed.
fn demonstration(assembly: &Assembly, number: u64) -> Result<(), TrainError> {
    let Some(demonstration) = assembly.source.nth_demonstration(number) else {
        return Ok(());
    };
    let problem = &demonstration.problem;
    let prompt = tokens(assembly, problem, &problem.prompt)?;
    let length = prompt + tokens(assembly, problem, &demonstration.completion)?;
    let limit = assembly.decoder.config().max_position_embeddings;
    if length <= limit {
        return Ok(());
    }
    Err(TrainError::Assembly(format!(
        "{}: prompt and completion have {length} tokens, and the model reads at most \
         max_position_embeddings = {limit}: shorten it or raise the limit",
        problem.source
    )))
}

fn tokens(assembly: &Assembly, problem: &Problem, text: &str) -> Result<usize, TrainError> {
    match assembly.tokenizer.encode(text) {
        Ok(tokens) => Ok(tokens.len()),
        Err(error) => Err(TrainError::Assembly(format!("{}: {error}", problem.source))),
    }
}
