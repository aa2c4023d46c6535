//! `equipoise sample`: a prompt in, answers out.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use equipoise_core::{Completion, Finish, Prompt, TokenId};
use equipoise_data::Tokenizer;
use equipoise_models::{Decoder, Need, Policy as _, Sidecars, TokenBatch};
use equipoise_samplers::{Engine, SampleSpec, Sampler as _};
use equipoise_trainer::{companions, load_policy, stops, tokenizer_file};

use crate::output::token_text;
use crate::saved::Saved;

/// The most new tokens if nothing is said and the model has room for more.
const NEW_TOKENS: usize = 256;

/// The arguments of `equipoise sample`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A run's directory, a model's with config.json, model.safetensors and tokenizer.json, or an
    /// adapter's in PEFT's layout.
    path: PathBuf,
    /// What to answer; without it, every line of standard input. One that begins with a hyphen
    /// comes last, after `--`.
    prompt: Option<String>,
    /// What logits are divided by; 0 takes the most likely token. [default: 0, or 1 with several
    /// samples]
    #[arg(long, value_name = "T")]
    temperature: Option<f64>,
    /// How many answers to each prompt.
    #[arg(long, value_name = "N", default_value_t = 1)]
    samples: usize,
    /// The most tokens of an answer. [default: 256, or as many as the model has room for]
    #[arg(long, value_name = "N")]
    max_new_tokens: Option<usize>,
    /// The seed of the random numbers.
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Show every token with its log-probability.
    #[arg(long)]
    tokens: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let directory = Saved::open(&arguments.path)?.directory;
    let decoder = load_policy(&directory)?;
    let tokenizer = Tokenizer::load(tokenizer_file(&directory)?, None)?;
    let mut answerer = Answerer {
        arguments,
        stops: stops(
            &tokenizer,
            decoder.config(),
            &Sidecars::read(&companions(&directory)?)?,
        ),
        engine: Engine::new(decoder.clone()),
        decoder,
        tokenizer,
    };
    if let Some(prompt) = &arguments.prompt {
        return answerer.answer(prompt, 0);
    }
    let interactive = io::stdin().is_terminal();
    let mut out = io::stdout();
    if interactive {
        writeln!(out, "type a prompt and press enter; ctrl-D ends")?;
    }
    let mut lines = io::stdin().lock().lines();
    for number in 0.. {
        if interactive {
            write!(out, "> ")?;
            out.flush()?;
        }
        let Some(line) = lines.next() else { break };
        let line = line.context("cannot read standard input")?;
        if line.is_empty() {
            continue;
        }
        match answerer.answer(&line, number) {
            Err(error) if interactive => {
                writeln!(out, "error: {}", crate::output::causes(&error))?;
            }
            answered => answered.with_context(|| format!("line {}", number + 1))?,
        }
    }
    Ok(())
}

struct Answerer<'a> {
    arguments: &'a Arguments,
    decoder: Decoder,
    engine: Engine,
    tokenizer: Tokenizer,
    stops: Vec<TokenId>,
}

impl Answerer<'_> {
    /// Prints the answers to a prompt; its number addresses its random numbers.
    fn answer(&mut self, prompt: &str, number: u64) -> anyhow::Result<()> {
        let tokens = self.tokenizer.encode(prompt)?;
        let several = self.arguments.samples > 1;
        let temperature = self.arguments.temperature;
        let room = (self.decoder.config().max_position_embeddings + 1).saturating_sub(tokens.len());
        let spec = SampleSpec {
            seed: self.arguments.seed,
            step: 0,
            samples_per_prompt: self.arguments.samples,
            temperature: temperature.unwrap_or(if several { 1.0 } else { 0.0 }),
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            stop: self.stops.clone(),
            max_new_tokens: self
                .arguments
                .max_new_tokens
                .unwrap_or_else(|| NEW_TOKENS.min(room).max(1)),
        };
        let prompt = Prompt { id: number, tokens };
        let completions = self.engine.sample(std::slice::from_ref(&prompt), &spec)?;
        let mut out = io::stdout();
        for (at, completion) in completions.iter().flatten().enumerate() {
            if several {
                writeln!(out, "--- {}", at + 1)?;
            }
            let cut = match completion.finish {
                Finish::Stop => "",
                Finish::Length => " […]",
            };
            writeln!(out, "{}{cut}", self.tokenizer.decode(&completion.tokens))?;
            if self.arguments.tokens {
                self.list(&mut out, &prompt, completion, spec.temperature)?;
            }
        }
        Ok(())
    }

    /// Every token with its log-probability. Greedy decoding draws from no distribution, so its
    /// tokens get the model's own.
    fn list(
        &self,
        out: &mut impl io::Write,
        prompt: &Prompt,
        completion: &Completion,
        temperature: f64,
    ) -> anyhow::Result<()> {
        let logprobs = if temperature == 0.0 {
            let mut batch = TokenBatch::new();
            batch.push(&prompt.tokens, &completion.tokens);
            let outputs = self.decoder.score(&batch, &Need::at_temperature(1.0))?;
            outputs.logprobs.row(0).to_vec()
        } else {
            completion.logprobs.clone()
        };
        for (&token, logprob) in completion.tokens.iter().zip(&logprobs) {
            let text = token_text(self.tokenizer.token(token));
            writeln!(out, "{logprob:>10.4}  {token:>6}  {text}")?;
        }
        let total: f64 = logprobs.iter().copied().map(f64::from).sum();
        writeln!(
            out,
            "{total:>10.4}  in all, {} tokens",
            completion.tokens.len()
        )?;
        Ok(())
    }
}
