//! Selection and curricula.

mod budget;
mod order;
mod replay;
mod selection;

use equipoise_core::{Domain, Stream};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The reference values of one part.
fn golden(part: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../../fixtures/curriculum.json")).unwrap();
    let cases = all[part].as_array().unwrap().clone();
    assert!(cases.len() >= 12, "{part}");
    cases
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn indices(value: &Value) -> Vec<usize> {
    let whole = |value: &Value| value.as_u64().unwrap() as usize;
    value.as_array().unwrap().iter().map(whole).collect()
}

/// Whether two numbers agree to a part in 10⁹, or near 0 to 10⁻¹².
fn close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(other.abs()) + 1e-12
}

fn stream(number: u64) -> Stream {
    Stream::new(18, Domain::Other, [number, 0, 0])
}

/// What comes back from the text a state is saved as.
fn saved<T: Serialize + DeserializeOwned>(state: &T) -> T {
    serde_json::from_str(&serde_json::to_string(state).unwrap()).unwrap()
}
