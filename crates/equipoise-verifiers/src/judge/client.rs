//! Requests to an endpoint that speaks OpenAI's protocol.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::Uri;

use super::cache::{Cache, Key};
use super::endpoint::{ApiKey, EndpointOptions};
use super::retry::{Backoff, Slots};
use crate::invalid::InvalidOption;
use crate::text::quoted;

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Question {
    key: Key,
    body: Value,
}

/// Asks an endpoint.
pub(super) struct Client {
    agent: Agent,
    url: String,
    options: EndpointOptions,
    key: Option<ApiKey>,
    backoff: Backoff,
    slots: Slots,
    cache: Cache,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Client").field(&self.options).finish()
    }
}

/// Why an attempt failed.
struct Failure {
    why: String,
    /// Whether another attempt may do better.
    passing: bool,
    retry_after: Option<Duration>,
}

impl Failure {
    fn passing(why: String) -> Self {
        Self {
            why,
            passing: true,
            retry_after: None,
        }
    }

    fn lasting(why: String) -> Self {
        Self {
            passing: false,
            ..Self::passing(why)
        }
    }
}

impl Client {
    pub(super) fn new(
        verifier: &'static str,
        options: EndpointOptions,
    ) -> Result<Self, InvalidOption> {
        let (url, local) = address(verifier, &options.endpoint)?;
        let seconds = |option, value: f64| {
            Duration::try_from_secs_f64(value)
                .map_err(|_| InvalidOption::new(verifier, option, value, "a number of seconds"))
        };
        let timeout = |option, value: f64| match seconds(option, value)? {
            Duration::ZERO => Err(InvalidOption::new(verifier, option, 0, "positive")),
            time => Ok(time),
        };
        let backoff = Backoff {
            first: seconds("backoff_seconds", options.backoff_seconds)?,
            longest: seconds("max_backoff_seconds", options.max_backoff_seconds)?,
        };
        let connect = timeout("connect_timeout_seconds", options.connect_timeout_seconds)?;
        let whole = timeout("timeout_seconds", options.timeout_seconds)?;
        if options.concurrency == 0 {
            return Err(InvalidOption::new(verifier, "concurrency", 0, "positive"));
        }
        if !(options.temperature.is_finite() && options.temperature >= 0.0) {
            let value = options.temperature;
            return Err(InvalidOption::new(
                verifier,
                "temperature",
                value,
                "0 or positive",
            ));
        }
        let key = api_key(verifier, &options)?;
        let cache = Cache::new(options.cache_entries, options.cache.clone()).map_err(|error| {
            let directory = options.cache.clone().unwrap_or_default();
            let expected = format!("a directory that can be made: {error}");
            InvalidOption::new(verifier, "cache", directory.display(), expected)
        })?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // A redirection would turn the question into a GET, or take the key elsewhere.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(connect))
            .timeout_global(Some(whole))
            .max_idle_connections_per_host(options.concurrency)
            .user_agent(concat!("equipoise/", env!("CARGO_PKG_VERSION")));
        let config = match local {
            // A proxy of the environment cannot reach what is local to this machine.
            true => config.proxy(None),
            false => config,
        };
        #[cfg(feature = "judge-tls")]
        let config = config.tls_config(
            ureq::tls::TlsConfig::builder()
                .provider(ureq::tls::TlsProvider::Rustls)
                .root_certs(ureq::tls::RootCerts::PlatformVerifier)
                .unversioned_rustls_crypto_provider(rustls::crypto::ring::default_provider().into())
                .build(),
        );
        Ok(Self {
            agent: config.build().new_agent(),
            url,
            key,
            backoff,
            slots: Slots::new(options.concurrency),
            cache,
            options,
        })
    }

    /// The request with this prompt.
    pub(super) fn question(&self, system: Option<&str>, prompt: &str) -> Question {
        let message = |role, content: &str| json!({"role": role, "content": content});
        let mut messages: Vec<Value> = system
            .map(|text| message("system", text))
            .into_iter()
            .collect();
        messages.push(message("user", prompt));
        let mut body = json!({
            "model": self.options.model,
            "messages": messages,
            "temperature": self.options.temperature,
            "max_tokens": self.options.max_tokens,
        });
        if let Some(seed) = self.options.seed {
            body["seed"] = seed.into();
        }
        let key = blake3::hash(format!("{}\n{body}", self.url).as_bytes());
        Question { key, body }
    }

    /// The replies to `questions`, in their order, or why there is none. The same question is asked
    /// once, and as many are under way as are allowed. Replies that are `good` are kept.
    pub(super) fn ask_all(
        &self,
        questions: &[Question],
        good: &(dyn Fn(&str) -> bool + Sync),
    ) -> Vec<Result<String, String>> {
        let mut places: HashMap<Key, usize> = HashMap::new();
        let mut different: Vec<&Question> = Vec::new();
        let place: Vec<usize> = questions
            .iter()
            .map(|question| {
                *places.entry(question.key).or_insert_with(|| {
                    different.push(question);
                    different.len() - 1
                })
            })
            .collect();
        let replies = self.ask_different(&different, good);
        place.into_iter().map(|at| replies[at].clone()).collect()
    }

    fn ask_different(
        &self,
        questions: &[&Question],
        good: &(dyn Fn(&str) -> bool + Sync),
    ) -> Vec<Result<String, String>> {
        if let [question] = questions {
            return vec![self.ask(question, good)];
        }
        let next = AtomicUsize::new(0);
        let replies = Mutex::new(vec![
            Err("the question was not asked".to_owned());
            questions.len()
        ]);
        let work = || {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(question) = questions.get(at) else {
                    return;
                };
                let reply = self.ask(question, good);
                replies.lock().unwrap_or_else(PoisonError::into_inner)[at] = reply;
            }
        };
        // Threads that wait for a network are no work for rayon, which has one for each core.
        thread::scope(|scope| {
            for _ in 0..self.options.concurrency.min(questions.len()) {
                scope.spawn(work);
            }
        });
        replies.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// The reply to a question, or why there is none.
    fn ask(&self, question: &Question, good: &dyn Fn(&str) -> bool) -> Result<String, String> {
        if let Some(reply) = self.cache.get(&question.key, &question.body) {
            return Ok(reply);
        }
        let (first, _) = question.key.as_bytes().split_at(8);
        let key = first
            .iter()
            .fold(0, |key, &byte| key << 8 | u64::from(byte));
        let mut number = 0;
        loop {
            let failure = match self.attempt(&question.body) {
                Ok(reply) => {
                    if good(&reply) {
                        self.cache.put(&question.key, &question.body, &reply);
                    }
                    return Ok(reply);
                }
                Err(failure) => failure,
            };
            if !failure.passing || number == self.options.retries {
                let (attempts, why) = (number + 1, self.hidden(&failure.why));
                return Err(format!(
                    "{why} (attempt {attempts} of {})",
                    self.options.retries + 1
                ));
            }
            thread::sleep(self.backoff.pause(key, number, failure.retry_after));
            number += 1;
        }
    }

    /// Asks once.
    fn attempt(&self, body: &Value) -> Result<String, Failure> {
        let _slot = self.slots.take();
        let mut request = self.agent.post(&self.url).content_type("application/json");
        if let Some(key) = &self.key {
            request = request.header("Authorization", format!("Bearer {}", key.secret()));
        }
        let mut response = request.send(body.to_string()).map_err(failed)?;
        let status = response.status().as_u16();
        let header = response.headers().get("Retry-After");
        let retry_after = header
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        let reader = response
            .body_mut()
            .with_config()
            .limit(self.options.max_response_bytes);
        let text = reader.lossy_utf8(true).read_to_string().map_err(failed)?;
        match status {
            200..=299 => content(&text).map_err(Failure::passing),
            408 | 425 | 429 | 500.. => Err(Failure {
                retry_after,
                ..Failure::passing(format!("status {status}: {}", quoted(text.trim())))
            }),
            _ => Err(Failure::lasting(format!(
                "status {status}: {}",
                quoted(text.trim())
            ))),
        }
    }

    /// `text` without the key, which some endpoints repeat.
    fn hidden(&self, text: &str) -> String {
        match &self.key {
            Some(key) => text.replace(key.secret(), "[hidden]"),
            None => text.to_owned(),
        }
    }
}

/// An attempt to which there is no answer.
fn failed(error: ureq::Error) -> Failure {
    let why = format!("no answer: {error}");
    match error {
        ureq::Error::BodyExceedsLimit(bytes) => Failure::lasting(format!(
            "the answer has more than max_response_bytes = {bytes} bytes"
        )),
        ureq::Error::BadUri(_)
        | ureq::Error::Http(_)
        | ureq::Error::InvalidProxyUrl
        | ureq::Error::LargeResponseHeader(..)
        | ureq::Error::TlsRequired => Failure::lasting(why),
        _ => Failure::passing(why),
    }
}

/// The text of the reply in an answer.
fn content(answer: &str) -> Result<String, String> {
    let value: Value = serde_json::from_str(answer)
        .map_err(|error| format!("the answer {} is not JSON: {error}", quoted(answer)))?;
    let text = value
        .pointer("/choices/0/message/content")
        .and_then(Value::as_str);
    let missing = || {
        format!(
            "the answer {} has no choices[0].message.content",
            quoted(answer)
        )
    };
    text.map(str::to_owned).ok_or_else(missing)
}

/// The address of an endpoint, and whether it is on this machine.
fn address(verifier: &'static str, endpoint: &str) -> Result<(String, bool), InvalidOption> {
    let invalid = |expected: &str| {
        let value = format!("{endpoint:?}");
        Err(InvalidOption::new(verifier, "endpoint", value, expected))
    };
    const EXAMPLE: &str = "an address such as \"http://localhost:8000/v1\"";
    let Ok(uri) = endpoint.parse::<Uri>() else {
        return invalid(EXAMPLE);
    };
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") if cfg!(feature = "judge-tls") => {}
        Some("https") => {
            return invalid(
                "one with http, because this program was built without the feature `judge-tls`",
            );
        }
        _ => return invalid(EXAMPLE),
    }
    let host = match uri.host() {
        Some(host) if !host.is_empty() && uri.query().is_none() => host,
        _ => return invalid(EXAMPLE),
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = bare
        .parse()
        .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    let base = endpoint.trim_end_matches('/');
    let url = match base.ends_with("/chat/completions") {
        true => base.to_owned(),
        false => format!("{base}/chat/completions"),
    };
    Ok((url, loopback || host == "localhost"))
}

/// The key, from the options or from the variable they name.
fn api_key(
    verifier: &'static str,
    options: &EndpointOptions,
) -> Result<Option<ApiKey>, InvalidOption> {
    let key = match (&options.api_key, &options.api_key_env) {
        (Some(key), _) => key.clone(),
        (None, None) => return Ok(None),
        (None, Some(name)) => match std::env::var(name) {
            Ok(key) => ApiKey::new(key),
            Err(_) => {
                let expected = "the name of an environment variable that is set";
                let value = format!("{name:?}");
                return Err(InvalidOption::new(verifier, "api_key_env", value, expected));
            }
        },
    };
    let secret = key.secret();
    if secret.is_empty() || !secret.chars().all(|c| c.is_ascii_graphic()) {
        let expected = "a text of visible characters in ASCII";
        return Err(InvalidOption::new(
            verifier, "api_key", "[hidden]", expected,
        ));
    }
    Ok(Some(key))
}
