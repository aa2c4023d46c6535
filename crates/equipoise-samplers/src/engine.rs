//! Generation inside the trainer's process, on the trainer's own weights.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::Var;
use equipoise_core::{Completion, Domain, Finish, Prompt, Stream, TokenId};
use equipoise_kernels::crew::{Crew, Pieces};
use equipoise_kernels::ops::with_elements;
use equipoise_models::decoder::decoding::{KeyValues, Sequence, View, Workspace};
use equipoise_models::{Decoder, ModelError, Parameters, Policy};
use rayon::prelude::*;

use crate::{SampleSpec, Sampler, SamplerError, select};

/// Rows one thread decodes together: enough to use the vector units, few enough that their caches
/// stay near the processor.
const ROWS_PER_THREAD: usize = 128;

/// With fewer rows for each, threads decode together, each reading its part of the weights: what is
/// read is then shared among more rows.
const ROWS_ALONE: usize = 64;

/// The most threads that decode together: more would wait for each other for longer than they save.
const MOST_MEMBERS: usize = 8;

/// Tokens of prompts that are computed at once.
const PREFILL: usize = 128;

/// A sampler that reads the trainer's weights where they are.
///
/// Each thread of the rayon pool, or each few threads together where there are few rows, runs its own
/// batch: it prefills a prompt once for all its samples, decodes one token a step for every row it
/// holds, retires finished rows and takes the next prompts when there is room. Rows never influence
/// each other's numbers, so neither the number of threads nor the batch changes a bit of any sample.
#[derive(Debug)]
pub struct Engine {
    decoder: Decoder,
    version: u64,
    rows_per_thread: usize,
}

impl Engine {
    /// An engine over a model; the weights are shared, not copied.
    pub fn new(decoder: Decoder) -> Self {
        Self {
            decoder,
            version: 0,
            rows_per_thread: ROWS_PER_THREAD,
        }
    }

    /// The same with another limit on the rows a thread decodes together (at least 1; a prompt's
    /// samples always go together). It changes speed and memory, never a result.
    #[must_use]
    pub fn with_rows_per_thread(self, rows: usize) -> Self {
        Self {
            rows_per_thread: rows.max(1),
            ..self
        }
    }

    fn check(&self, prompts: &[Prompt], spec: &SampleSpec) -> Result<(), SamplerError> {
        spec.validate()?;
        let limit = self.decoder.config().max_position_embeddings;
        for prompt in prompts {
            let (length, new) = (prompt.tokens.len(), spec.max_new_tokens);
            let fail = |reason| {
                Err(SamplerError::Prompt {
                    id: prompt.id,
                    reason,
                })
            };
            if length == 0 {
                return fail("it has no tokens".to_owned());
            }
            // The last new token is never fed back.
            if length + new - 1 > limit {
                return fail(format!(
                    "its {length} tokens and max_new_tokens = {new} do not fit into the model's \
                     max_position_embeddings = {limit}"
                ));
            }
        }
        Ok(())
    }
}

impl Sampler for Engine {
    fn sample(
        &mut self,
        prompts: &[Prompt],
        spec: &SampleSpec,
    ) -> Result<Vec<Vec<Completion>>, SamplerError> {
        self.check(prompts, spec)?;
        let crews = Crews::of(
            prompts.len(),
            spec.samples_per_prompt,
            rayon::current_num_threads(),
        );
        let next = AtomicUsize::new(0);
        let version = self.version;
        let parts = self.decoder.with_view(|view| {
            let worker = |crew| {
                let members = crews.members(crew);
                let rows = crews.limit(crew, self.rows_per_thread);
                Crew::gather(members, |crew| {
                    Worker::new(view, prompts, spec, version, &next).run(crew, rows)
                })
            };
            (0..crews.count)
                .into_par_iter()
                .with_max_len(1)
                .map(worker)
                .collect::<Vec<_>>()
        })?;
        let empty = vec![None; spec.samples_per_prompt];
        let mut completions: Vec<Vec<Option<Completion>>> = vec![empty; prompts.len()];
        for part in parts {
            for (prompt, sample, completion) in part? {
                completions[prompt][sample] = Some(completion);
            }
        }
        // Every prompt was taken by one worker, which leaves no row unfinished.
        Ok(completions
            .into_iter()
            .map(|row| row.into_iter().flatten().collect())
            .collect())
    }

    fn sync(&mut self, weights: &Parameters, version: u64) -> Result<(), SamplerError> {
        let own = self.decoder.parameters();
        if own.len() != weights.len() {
            let (found, expected) = (weights.len(), own.len());
            return Err(SamplerError::Weights(format!(
                "{found} tensors instead of {expected}"
            )));
        }
        for ((name, own), (other_name, other)) in own.iter().zip(weights.iter()) {
            if name != other_name || own.shape() != other.shape() {
                let reason = format!("{other_name} stands where {name} is expected");
                return Err(SamplerError::Weights(reason));
            }
            // The same memory needs no copy.
            let place = |var: &Var| with_elements(var.as_tensor(), |values| values.as_ptr().addr());
            let here = place(own).map_err(ModelError::from)?;
            if here != place(other).map_err(ModelError::from)? {
                own.set(&other.as_detached_tensor())
                    .map_err(ModelError::from)?;
            }
        }
        self.version = version;
        Ok(())
    }
}

/// How the threads come together.
struct Crews {
    count: usize,
    threads: usize,
    rows: usize,
}

impl Crews {
    fn of(prompts: usize, samples: usize, threads: usize) -> Self {
        let (threads, rows) = (threads.max(1), prompts.saturating_mul(samples));
        let count = (rows / ROWS_ALONE)
            .max(threads.div_ceil(MOST_MEMBERS))
            .clamp(1, threads.min(prompts.max(1)));
        Self {
            count,
            threads,
            rows,
        }
    }

    /// The threads of a crew.
    fn members(&self, crew: usize) -> usize {
        let threads = self.threads / self.count + usize::from(crew < self.threads % self.count);
        threads.min(MOST_MEMBERS)
    }

    /// The most rows of a crew: its threads' share, so that none takes so much that another has nothing to
    /// do.
    fn limit(&self, crew: usize, rows_per_thread: usize) -> usize {
        let members = self.members(crew);
        let all: usize = (0..self.count).map(|crew| self.members(crew)).sum();
        let share = self.rows.saturating_mul(members).div_ceil(all).max(1);
        share.min(rows_per_thread.saturating_mul(members))
    }
}

/// How many rows an [`Engine`] decodes at a time at most, for so many prompts and samples of each, on so
/// many threads: what the memory of its cache and of its logits is counted by.
pub fn rows_at_a_time(prompts: usize, samples_per_prompt: usize, threads: usize) -> usize {
    let crews = Crews::of(prompts, samples_per_prompt, threads);
    // A prompt's samples are decoded together.
    let groups = |crew| (crews.limit(crew, ROWS_PER_THREAD) / samples_per_prompt.max(1)).max(1);
    let groups: usize = (0..crews.count).map(groups).sum();
    groups.min(prompts).saturating_mul(samples_per_prompt)
}

/// A completion being written.
struct Row {
    prompt: usize,
    sample: usize,
    stream: Stream,
    completion: Completion,
}

/// One crew's share of the work.
struct Worker<'a> {
    view: &'a View<'a>,
    prompts: &'a [Prompt],
    spec: &'a SampleSpec,
    version: u64,
    next: &'a AtomicUsize,
    workspace: Workspace,
    rows: Vec<Row>,
    /// The caches of `rows`, side by side with them.
    sequences: Vec<Sequence>,
    finished: Vec<(usize, usize, Completion)>,
}

impl<'a> Worker<'a> {
    fn new(
        view: &'a View<'a>,
        prompts: &'a [Prompt],
        spec: &'a SampleSpec,
        version: u64,
        next: &'a AtomicUsize,
    ) -> Self {
        Self {
            view,
            prompts,
            spec,
            version,
            next,
            workspace: Workspace::default(),
            rows: Vec::new(),
            sequences: Vec::new(),
            finished: Vec::new(),
        }
    }

    fn run(
        mut self,
        crew: &Crew<'_>,
        limit: usize,
    ) -> Result<Vec<(usize, usize, Completion)>, SamplerError> {
        let mut logits = Vec::new();
        let vocabulary = self.view.vocabulary();
        loop {
            while self.admit(crew, limit)? {}
            if self.rows.is_empty() {
                return Ok(self.finished);
            }
            let tokens: Vec<TokenId> = self
                .rows
                .iter()
                .filter_map(|row| row.completion.tokens.last().copied())
                .collect();
            logits.resize(tokens.len() * vocabulary, 0.0);
            self.view.step(
                crew,
                &tokens,
                &mut self.sequences,
                &mut self.workspace,
                &mut logits,
            )?;
            let rows = (
                Pieces::of(&mut self.rows, 1),
                Pieces::of(&mut logits, vocabulary),
            );
            crew.each(rows, |_, (row, logits)| {
                extend(&mut row[0], logits, self.spec);
            });
            self.retire();
        }
    }

    /// Prefills as many prompts as there is room for, up to a limit of tokens, and draws the first token
    /// of each of their samples. Says whether there were any.
    fn admit(&mut self, crew: &Crew<'_>, limit: usize) -> Result<bool, SamplerError> {
        let samples = self.spec.samples_per_prompt;
        let (mut taken, mut tokens) = (Vec::new(), Vec::new());
        let mut length = 0;
        while length < PREFILL {
            let rows = self.rows.len() + taken.len() * samples;
            if rows > 0 && rows + samples > limit {
                break;
            }
            let prompt = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(Prompt { tokens: new, .. }) = self.prompts.get(prompt) else {
                break;
            };
            length += new.len();
            taken.push(prompt);
            tokens.push(new.as_slice());
        }
        if taken.is_empty() {
            return Ok(false);
        }
        let vocabulary = self.view.vocabulary();
        let mut logits = vec![0.0; taken.len() * vocabulary];
        let prefixes = self
            .view
            .prefill(crew, &tokens, &mut self.workspace, &mut logits)?;
        let first = self.rows.len();
        for (prompt, prefix) in taken.into_iter().zip(prefixes) {
            let prefix = Arc::new(prefix);
            for sample in 0..samples {
                let coordinates = [self.spec.step, self.prompts[prompt].id, sample as u64];
                self.rows.push(Row {
                    prompt,
                    sample,
                    stream: Stream::new(self.spec.seed, Domain::Sample, coordinates),
                    completion: Completion {
                        tokens: Vec::new(),
                        logprobs: Vec::new(),
                        finish: Finish::Length,
                        weight_version: self.version,
                    },
                });
                self.sequences.push(Sequence {
                    prefix: Some(prefix.clone()),
                    own: KeyValues::default(),
                });
            }
        }
        crew.each(Pieces::of(&mut self.rows[first..], samples), |at, rows| {
            let logits = &logits[at * vocabulary..][..vocabulary];
            for row in rows {
                extend(row, &mut logits.to_vec(), self.spec);
            }
        });
        self.retire();
        Ok(true)
    }

    /// Takes finished rows out of the batch and keeps their caches for the next ones.
    fn retire(&mut self) {
        for at in (0..self.rows.len()).rev() {
            let completion = &self.rows[at].completion;
            let stopped = completion.finish == Finish::Stop;
            if stopped || completion.tokens.len() >= self.spec.max_new_tokens {
                let row = self.rows.swap_remove(at);
                let sequence = self.sequences.swap_remove(at);
                self.workspace.recycle(sequence);
                self.finished.push((row.prompt, row.sample, row.completion));
            }
        }
    }
}

/// Draws the row's next token.
fn extend(row: &mut Row, logits: &mut [f32], spec: &SampleSpec) {
    let drawn = select(logits, spec, &mut row.stream);
    row.completion.tokens.push(drawn.token);
    row.completion.logprobs.push(drawn.logprob);
    if spec.stop.contains(&drawn.token) {
        row.completion.finish = Finish::Stop;
    }
}

#[cfg(test)]
mod tests;
