//! The engine on a small random model: invariance, agreement with the trainer, limits.

use equipoise_models::{Config, Family, Need, RopeScaling, TokenBatch};

use super::*;

fn model() -> Decoder {
    let config = Config {
        vocab_size: 19,
        hidden_size: 24,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 6,
        intermediate_size: 40,
        rope_theta: 10_000.0,
        rms_norm_eps: 1e-6,
        tie_word_embeddings: true,
        max_position_embeddings: 48,
        family: Family::Qwen3,
        rope_scaling: RopeScaling::Default,
        attention_bias: false,
        mlp_bias: false,
        eos_token_ids: vec![0],
        heads: Default::default(),
        other: Default::default(),
    };
    // Wide enough that the distributions are far from uniform.
    Decoder::new(config, 0.3, 5).unwrap()
}

fn prompts() -> Vec<Prompt> {
    (0..9)
        .map(|id| Prompt {
            id: 100 + id,
            tokens: (0..=id).map(|t| (t * 7 + 3) as u32 % 19).collect(),
        })
        .collect()
}

fn spec() -> SampleSpec {
    SampleSpec {
        seed: 3,
        step: 11,
        samples_per_prompt: 4,
        temperature: 0.8,
        top_k: 0,
        top_p: 1.0,
        min_p: 0.0,
        stop: vec![0, 1],
        max_new_tokens: 30,
    }
}

fn sample(
    threads: usize,
    rows: usize,
    prompts: &[Prompt],
    spec: &SampleSpec,
) -> Vec<Vec<Completion>> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap();
    let mut engine = Engine::new(model()).with_rows_per_thread(rows);
    pool.install(|| engine.sample(prompts, spec)).unwrap()
}

#[test]
fn batching_and_threads_change_no_bit() {
    for spec in [
        spec(),
        SampleSpec {
            top_k: 5,
            top_p: 0.9,
            min_p: 0.01,
            ..spec()
        },
    ] {
        let whole = sample(1, 1000, &prompts(), &spec);
        let finishes: Vec<Finish> = whole.iter().flatten().map(|c| c.finish).collect();
        assert!(finishes.contains(&Finish::Stop) && finishes.contains(&Finish::Length));
        // With nine threads there are two crews of them.
        for (threads, rows) in [(1, 1), (1, 7), (2, 8), (3, 5), (9, usize::MAX), (9, 1)] {
            assert_eq!(
                sample(threads, rows, &prompts(), &spec),
                whole,
                "{threads}, {rows}"
            );
        }
        for (prompt, expected) in prompts().iter().zip(&whole) {
            let alone = sample(1, 1, std::slice::from_ref(prompt), &spec);
            assert_eq!(&alone[0], expected, "prompt {} alone", prompt.id);
        }
    }
}

#[test]
fn threads_come_together_where_rows_are_few() {
    let members = |prompts, samples, threads| {
        let crews = Crews::of(prompts, samples, threads);
        let crews: Vec<[usize; 2]> = (0..crews.count)
            .map(|crew| [crews.members(crew), crews.limit(crew, ROWS_PER_THREAD)])
            .collect();
        crews
    };
    // 32 rows for two threads: one crew of both. 256: each by itself, with half of them.
    assert_eq!(members(32, 1, 2), [[2, 32]]);
    assert_eq!(members(32, 8, 2), [[1, 128], [1, 128]]);
    assert_eq!(members(1000, 8, 2), [[1, 128], [1, 128]]);
    // A crew has rows for each of its threads.
    assert_eq!(members(16, 8, 3), [[2, 86], [1, 43]]);
    // No more than eight together, and no crew without a prompt.
    assert_eq!(members(1, 4, 64), [[8, 4]]);
    assert_eq!(members(4, 1, 20), [[7, 2], [7, 2], [6, 2]]);
    let rows = [(32, 1, 2), (16, 8, 3), (1000, 8, 2), (1, 300, 2), (0, 8, 2)];
    let found = rows.map(|(prompts, samples, threads)| rows_at_a_time(prompts, samples, threads));
    assert_eq!(found, [32, 120, 256, 300, 0]);
}

#[test]
fn fewer_samples_are_the_first_of_more() {
    let more = sample(1, 50, &prompts(), &spec());
    let fewer = sample(
        1,
        50,
        &prompts(),
        &SampleSpec {
            samples_per_prompt: 2,
            ..spec()
        },
    );
    for (more, fewer) in more.iter().zip(fewer) {
        assert_eq!(more[..2], fewer);
    }
    let other_step = sample(1, 50, &prompts(), &SampleSpec { step: 12, ..spec() });
    assert_ne!(more, other_step);
}

/// The promise of the whole design: what the sampler says a token's probability was is, to the last
/// bit, what the trainer computes for it.
#[test]
fn the_trainer_agrees_to_the_last_bit() {
    let decoder = model();
    let (prompts, spec) = (prompts(), spec());
    let completions = Engine::new(decoder.clone())
        .sample(&prompts, &spec)
        .unwrap();
    let mut batch = TokenBatch::new();
    for (prompt, completions) in prompts.iter().zip(&completions) {
        for completion in completions {
            batch.push(&prompt.tokens, &completion.tokens);
        }
    }
    let outputs = decoder
        .score(&batch, &Need::at_temperature(spec.temperature))
        .unwrap();
    let sampled: Vec<&[f32]> = completions
        .iter()
        .flatten()
        .map(|c| c.logprobs.as_slice())
        .collect();
    assert!(outputs.logprobs.rows().eq(sampled));
}

#[test]
fn completions_end_where_they_should() {
    for completion in sample(1, 50, &prompts(), &spec()).iter().flatten() {
        let stop = |token: &u32| [0, 1].contains(token);
        let (last, before) = completion.tokens.split_last().unwrap();
        assert!(!before.iter().any(stop), "nothing follows a stop token");
        match completion.finish {
            Finish::Stop => assert!(stop(last)),
            Finish::Length => assert!(!stop(last) && completion.tokens.len() == 30),
        }
        assert_eq!(completion.tokens.len(), completion.logprobs.len());
    }
    let one = sample(
        1,
        50,
        &prompts(),
        &SampleSpec {
            max_new_tokens: 1,
            ..spec()
        },
    );
    assert!(
        one.iter()
            .flatten()
            .all(|completion| completion.tokens.len() == 1)
    );
}

#[test]
fn greedy_follows_the_largest_logit() {
    let decoder = model();
    let greedy = SampleSpec {
        temperature: 0.0,
        samples_per_prompt: 1,
        ..spec()
    };
    let completions = Engine::new(decoder.clone())
        .sample(&prompts(), &greedy)
        .unwrap();
    for (prompt, completion) in prompts().iter().zip(completions.iter().flatten()) {
        for at in 0..completion.tokens.len().min(4) {
            let score = |token: u32| {
                let mut response = completion.tokens[..at].to_vec();
                response.push(token);
                let mut batch = TokenBatch::new();
                batch.push(&prompt.tokens, &response);
                let outputs = decoder.score(&batch, &Need::at_temperature(1.0)).unwrap();
                outputs.logprobs.row(0)[at]
            };
            let chosen = score(completion.tokens[at]);
            assert!((0..19).all(|other| score(other) <= chosen));
        }
    }
}

#[test]
fn what_cannot_be_sampled_is_an_error() {
    let mut engine = Engine::new(model());
    let message = |engine: &mut Engine, prompts: &[Prompt], spec: SampleSpec| {
        engine.sample(prompts, &spec).unwrap_err().to_string()
    };
    let long = [Prompt {
        id: 7,
        tokens: vec![2; 20],
    }];
    let error = message(&mut engine, &long, spec());
    assert!(
        error.contains("prompt 7") && error.contains("max_position_embeddings = 48"),
        "{error}"
    );
    let empty = [Prompt {
        id: 8,
        tokens: vec![],
    }];
    assert!(message(&mut engine, &empty, spec()).contains("no tokens"));
    let foreign = [Prompt {
        id: 9,
        tokens: vec![19],
    }];
    assert!(message(&mut engine, &foreign, spec()).contains("token 19"));
    for wrong in [
        SampleSpec {
            temperature: -1.0,
            ..spec()
        },
        SampleSpec {
            temperature: f64::NAN,
            ..spec()
        },
        SampleSpec {
            top_p: 0.0,
            ..spec()
        },
        SampleSpec {
            min_p: 1.5,
            ..spec()
        },
        SampleSpec {
            samples_per_prompt: 0,
            ..spec()
        },
        SampleSpec {
            max_new_tokens: 0,
            ..spec()
        },
    ] {
        assert!(message(&mut engine, &prompts(), wrong).contains("impossible sampling"));
    }
    assert!(engine.sample(&[], &spec()).unwrap().is_empty());
}

#[test]
fn sync_shares_or_copies_and_stamps_the_version() {
    let decoder = model();
    let mut engine = Engine::new(decoder.clone());
    engine.sync(decoder.parameters(), 5).unwrap();
    let before = engine.sample(&prompts(), &spec()).unwrap();
    assert_eq!(before[0][0].weight_version, 5);
    // Shared storage: a change of the trainer's weights is seen without another sync.
    let norm = decoder.parameters().get("model.norm.weight").unwrap();
    norm.set(&(norm.as_detached_tensor() * 0.5).unwrap())
        .unwrap();
    assert_ne!(engine.sample(&prompts(), &spec()).unwrap(), before);
    // Separate storage: sync copies.
    let mut other = Engine::new(model());
    other.sync(decoder.parameters(), 5).unwrap();
    let shared = engine.sample(&prompts(), &spec()).unwrap();
    assert_eq!(other.sample(&prompts(), &spec()).unwrap(), shared);
    let error = other
        .sync(&Parameters::default(), 6)
        .unwrap_err()
        .to_string();
    assert!(error.contains("0 tensors"), "{error}");
}
