//! Where a judge is, and how it is asked.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A secret that opens an endpoint. It is never shown: `Debug` hides it, and whatever the endpoint
/// says back is searched for it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// The key with this text.
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    pub(super) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey([hidden])")
    }
}

/// How the judge behind an endpoint is reached and asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointOptions {
    /// The address up to the version, such as `http://localhost:8000/v1`; `/chat/completions` is
    /// added unless it is there. `https` needs the feature `judge-tls`.
    pub endpoint: String,
    /// The model's name at the endpoint.
    pub model: String,
    /// The key. In files the name of a variable takes its place, so that no file holds the secret.
    #[serde(skip)]
    pub api_key: Option<ApiKey>,
    /// The environment variable that holds the key.
    #[serde(default)]
    pub api_key_env: Option<String>,
    /// The temperature; 0 for the likeliest reply.
    #[serde(default)]
    pub temperature: f64,
    /// The most tokens of a reply.
    #[serde(default = "defaults::max_tokens")]
    pub max_tokens: u32,
    /// The endpoint's seed of its random numbers; not sent if not given.
    #[serde(default)]
    pub seed: Option<u64>,
    /// How often a request that failed is tried again.
    #[serde(default = "defaults::retries")]
    pub retries: u32,
    /// The pause before the first retry, in seconds; it doubles with each. What an endpoint says in
    /// `Retry-After` comes first.
    #[serde(default = "defaults::backoff_seconds")]
    pub backoff_seconds: f64,
    /// The longest pause, in seconds.
    #[serde(default = "defaults::max_backoff_seconds")]
    pub max_backoff_seconds: f64,
    /// How long a connection may take, in seconds.
    #[serde(default = "defaults::connect_timeout_seconds")]
    pub connect_timeout_seconds: f64,
    /// How long a request with its reply may take, in seconds.
    #[serde(default = "defaults::timeout_seconds")]
    pub timeout_seconds: f64,
    /// The most bytes of a reply that are read.
    #[serde(default = "defaults::max_response_bytes")]
    pub max_response_bytes: u64,
    /// How many requests may be under way at once.
    #[serde(default = "defaults::concurrency")]
    pub concurrency: usize,
    /// How many replies are kept in memory; the oldest goes first.
    #[serde(default = "defaults::cache_entries")]
    pub cache_entries: usize,
    /// A directory where replies are kept as well, from run to run.
    #[serde(default)]
    pub cache: Option<PathBuf>,
}

impl EndpointOptions {
    /// The usual options for a model at an endpoint: up to 4 retries after ½, 1, 2 and 4 seconds, 16
    /// requests at once, two minutes for each.
    pub fn new(endpoint: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            model: model.into(),
            api_key: None,
            api_key_env: None,
            temperature: 0.0,
            max_tokens: defaults::max_tokens(),
            seed: None,
            retries: defaults::retries(),
            backoff_seconds: defaults::backoff_seconds(),
            max_backoff_seconds: defaults::max_backoff_seconds(),
            connect_timeout_seconds: defaults::connect_timeout_seconds(),
            timeout_seconds: defaults::timeout_seconds(),
            max_response_bytes: defaults::max_response_bytes(),
            concurrency: defaults::concurrency(),
            cache_entries: defaults::cache_entries(),
            cache: None,
        }
    }
}

mod defaults {
    pub(super) fn max_tokens() -> u32 {
        1024
    }

    pub(super) fn retries() -> u32 {
        4
    }

    pub(super) fn backoff_seconds() -> f64 {
        0.5
    }

    pub(super) fn max_backoff_seconds() -> f64 {
        30.0
    }

    pub(super) fn connect_timeout_seconds() -> f64 {
        10.0
    }

    pub(super) fn timeout_seconds() -> f64 {
        120.0
    }

    pub(super) fn max_response_bytes() -> u64 {
        1 << 20
    }

    pub(super) fn concurrency() -> usize {
        16
    }

    pub(super) fn cache_entries() -> usize {
        100_000
    }
}
