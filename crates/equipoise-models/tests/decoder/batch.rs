//! Batches that cannot be fed.

use equipoise_models::{ModelError, Need, Policy, TokenBatch};

use crate::support::{decoder, need};

/// Both ways into the model refuse alike; the message is the same.
fn refusal(batch: &TokenBatch, need: &Need) -> String {
    let decoder = decoder(true);
    let error = decoder.score(batch, need).unwrap_err().to_string();
    let Err(forward) = decoder.forward(batch, need) else {
        panic!("the forward pass took what scoring refused: {error}");
    };
    assert_eq!(forward.to_string(), error);
    error
}

#[test]
fn a_token_outside_the_vocabulary() {
    for at in 0..3 {
        let mut tokens = [1, 2, 3];
        tokens[at] = 13;
        let mut batch = TokenBatch::new();
        batch.push(&[1], &[2]);
        batch.push(&tokens[..1], &tokens[1..]);
        assert_eq!(
            refusal(&batch, &need()),
            "impossible batch: sequence 1: token 13 is not in a vocabulary of 13"
        );
    }
}

#[test]
fn a_sequence_longer_than_the_model_reads() {
    // The last token is predicted and not read, so 33 tokens are the most.
    let mut batch = TokenBatch::new();
    batch.push(&[1], &[2; 32]);
    decoder(true).score(&batch, &need()).unwrap();
    batch.push(&[1], &[2; 33]);
    assert_eq!(
        refusal(&batch, &need()),
        "impossible batch: sequence 1: 34 tokens, but the model reads at most 32"
    );
}

#[test]
fn a_first_token_that_is_scored() {
    let mut batch = TokenBatch::new();
    batch.push(&[], &[1, 2]);
    assert_eq!(
        refusal(&batch, &need()),
        "impossible batch: sequence 0: its first token is scored, but nothing predicts it"
    );
}

#[test]
fn as_many_marks_as_tokens() {
    let mut batch = TokenBatch::new();
    let error = batch.push_masked(&[1, 2], &[false]).unwrap_err();
    assert!(matches!(&error, ModelError::Batch(_)));
    assert_eq!(error.to_string(), "impossible batch: 2 tokens with 1 marks");
    assert!(batch.is_empty(), "a refused sequence leaves no trace");
}

#[test]
fn a_temperature_that_is_none() {
    let mut batch = TokenBatch::new();
    batch.push(&[1], &[2]);
    for (temperature, shown) in [
        (0.0, "0"),
        (-1.5, "-1.5"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "inf"),
    ] {
        assert_eq!(
            refusal(&batch, &Need::at_temperature(temperature)),
            format!("impossible batch: the temperature is {shown}; it must be positive")
        );
    }
}
