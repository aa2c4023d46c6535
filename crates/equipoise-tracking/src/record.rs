//! The records of a run, and their JSON forms.

use std::fmt;

use equipoise_core::Finish;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::ser::{Error as _, SerializeMap};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The numbers of one step of one stage.
///
/// As JSON it is one flat object, in the order of `values`:
///
/// ```text
/// {"stage":"rl","step":3,"reward/mean":0.41,"grad_norm":0.93}
/// ```
///
/// A metric that is undefined at a step is absent. JSON has no NaN and no infinity: such a number
/// is written as `null` and read back as NaN, so that a run gone wrong leaves a valid file that
/// still says where it went wrong. [`MetricRecord::non_finite`] lists them, so that whoever records
/// can warn; the report warns too. Keys this version does not know are kept; values that are
/// neither numbers nor `null` are skipped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricRecord {
    /// The stage of the recipe: `"sft"`, `"rl"`, …
    pub stage: String,
    /// The step within the stage.
    pub step: u64,
    /// Metric keys and values, in the order they are written. The keys are in `docs/metrics.md`;
    /// each may occur once, and none may be `stage` or `step`.
    pub values: Vec<(String, f64)>,
}

impl MetricRecord {
    /// A record without values.
    pub fn new(stage: impl Into<String>, step: u64) -> Self {
        Self {
            stage: stage.into(),
            step,
            values: Vec::new(),
        }
    }

    /// Appends a metric.
    pub fn push(&mut self, key: impl Into<String>, value: f64) {
        self.values.push((key.into(), value));
    }

    /// Appends a metric if it is defined.
    pub fn push_some(&mut self, key: impl Into<String>, value: Option<f64>) {
        if let Some(value) = value {
            self.push(key, value);
        }
    }

    /// The value of a metric; `None` if it was not recorded.
    pub fn get(&self, key: &str) -> Option<f64> {
        let mut found = self.values.iter().filter(|(name, _)| name == key);
        found.next().map(|&(_, value)| value)
    }

    /// The metrics that are NaN or infinite, which will be written as `null`.
    pub fn non_finite(&self) -> impl Iterator<Item = &str> {
        let values = self.values.iter();
        values.filter_map(|(key, value)| (!value.is_finite()).then_some(key.as_str()))
    }
}

impl Serialize for MetricRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.values.len() + 2))?;
        map.serialize_entry("stage", &self.stage)?;
        map.serialize_entry("step", &self.step)?;
        for (index, (key, value)) in self.values.iter().enumerate() {
            let twice = self.values[..index].iter().any(|(name, _)| name == key);
            if twice || key == "stage" || key == "step" {
                return Err(S::Error::custom(format!("the key \"{key}\" occurs twice")));
            }
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for MetricRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RecordVisitor)
    }
}

/// Reads a [`MetricRecord`].
struct RecordVisitor;

impl<'de> Visitor<'de> for RecordVisitor {
    type Value = MetricRecord;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the keys \"stage\" and \"step\" and one number per metric")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<MetricRecord, A::Error> {
        use serde::de::Error as _;
        let (mut stage, mut step, mut values) = (None, None, Vec::new());
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "stage" => stage = Some(map.next_value()?),
                "step" => step = Some(map.next_value()?),
                _ => match map.next_value()? {
                    Value::Number(value) => values.push((key, value)),
                    Value::Null(()) => values.push((key, f64::NAN)),
                    Value::Other(_) => {}
                },
            }
        }
        Ok(MetricRecord {
            stage: stage.ok_or_else(|| A::Error::missing_field("stage"))?,
            step: step.ok_or_else(|| A::Error::missing_field("step"))?,
            values,
        })
    }
}

/// What may stand behind a metric's key in a file.
#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Number(f64),
    Null(()),
    Other(IgnoredAny),
}

/// One sampled completion with everything that decided its share in the gradient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CompletionRecord {
    /// The stage of the recipe.
    pub stage: String,
    /// The step within the stage.
    pub step: u64,
    /// The problem's number.
    pub problem: u64,
    /// Which sample of the problem's group this is, from 0.
    pub sample: u32,
    /// The prompt as text.
    pub prompt: String,
    /// The completion as text.
    pub completion: String,
    /// The expected answer.
    pub answer: String,
    /// The reward; `None` if the completion could not be scored.
    pub reward: Option<f64>,
    /// The parts of the reward by name, in the verifier's order; an object in JSON.
    #[serde(with = "pairs", default)]
    pub parts: Vec<(String, f64)>,
    /// Why the completion could not be scored, if it could not.
    #[serde(default)]
    pub unscorable: Option<String>,
    /// The advantage, the same for every token of the completion.
    #[serde(deserialize_with = "null_is_nan")]
    pub advantage: f64,
    /// The aggregation weight: what each of its tokens' losses is multiplied with.
    #[serde(deserialize_with = "null_is_nan")]
    pub weight: f64,
    /// The number of loss-carrying tokens.
    pub tokens: usize,
    /// Why it ended.
    pub finish: Finish,
}

fn null_is_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// Ordered pairs as a JSON object.
mod pairs {
    use super::*;

    pub(super) fn serialize<S: Serializer>(
        pairs: &[(String, f64)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(pairs.len()))?;
        for (index, (key, value)) in pairs.iter().enumerate() {
            if pairs[..index].iter().any(|(name, _)| name == key) {
                return Err(S::Error::custom(format!(
                    "the reward part \"{key}\" occurs twice"
                )));
            }
            map.serialize_entry(key, value)?;
        }
        map.end()
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(String, f64)>, D::Error> {
        deserializer.deserialize_map(PairsVisitor)
    }

    struct PairsVisitor;

    impl<'de> Visitor<'de> for PairsVisitor {
        type Value = Vec<(String, f64)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object with one number per reward part")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while let Some((key, value)) = map.next_entry::<String, Option<f64>>()? {
                pairs.push((key, value.unwrap_or(f64::NAN)));
            }
            Ok(pairs)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completion() -> CompletionRecord {
        CompletionRecord {
            stage: "rl".into(),
            step: 3,
            problem: u64::MAX,
            sample: 1,
            prompt: "17+25=".into(),
            completion: "7+5=12\n\u{1}\"42\"".into(),
            answer: "42".into(),
            reward: Some(0.1 + 0.2),
            parts: vec![("format".into(), 1.0), ("answer".into(), 0.0)],
            unscorable: None,
            advantage: -0.5,
            weight: 1.0 / 3.0,
            tokens: 11,
            finish: Finish::Length,
        }
    }

    #[test]
    fn metrics_are_one_flat_object_in_order() {
        let mut record = MetricRecord::new("rl", 3);
        record.push("reward/mean", 0.41);
        record.push_some("length/correct", None);
        record.push_some("clip/low", Some(1e-7));
        let json = serde_json::to_string(&record).unwrap();
        let expected = r#"{"stage":"rl","step":3,"reward/mean":0.41,"clip/low":1e-7}"#;
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_str::<MetricRecord>(&json).unwrap(), record);
        assert_eq!(record.get("clip/low"), Some(1e-7));
        assert_eq!(record.get("clip/high"), None);
    }

    #[test]
    fn a_number_that_is_not_finite_becomes_null_and_is_counted() {
        let mut record = MetricRecord::new("rl", 3);
        record.push("a", f64::NAN);
        record.push("b", 1.0);
        record.push("c", f64::NEG_INFINITY);
        assert_eq!(record.non_finite().collect::<Vec<_>>(), ["a", "c"]);
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(json, r#"{"stage":"rl","step":3,"a":null,"b":1.0,"c":null}"#);
        let back: MetricRecord = serde_json::from_str(&json).unwrap();
        assert!(back.get("a").unwrap().is_nan() && back.get("c").unwrap().is_nan());
    }

    #[test]
    fn a_key_twice_has_no_json_form() {
        for key in ["stage", "step", "loss"] {
            let mut record = MetricRecord::new("rl", 3);
            record.push("loss", 1.0);
            record.push(key, 2.0);
            let error = serde_json::to_string(&record).unwrap_err().to_string();
            assert!(error.contains(&format!("\"{key}\"")), "{error}");
        }
        let mut record = completion();
        record.parts.push(("format".into(), 0.0));
        assert!(serde_json::to_string(&record).is_err());
    }

    #[test]
    fn values_of_other_types_are_skipped_and_missing_fields_named() {
        let json = r#"{"note":"x","step":1,"stage":"rl","a":[1],"b":2,"c":{"d":1}}"#;
        let record: MetricRecord = serde_json::from_str(json).unwrap();
        assert_eq!(record.values, [("b".to_owned(), 2.0)]);
        let error = serde_json::from_str::<MetricRecord>(r#"{"stage":"rl"}"#).unwrap_err();
        assert!(error.to_string().contains("`step`"), "{error}");
    }

    #[test]
    fn completions_round_trip() {
        let record = completion();
        let json = serde_json::to_string(&record).unwrap();
        assert!(
            json.contains(r#""parts":{"format":1.0,"answer":0.0}"#),
            "{json}"
        );
        assert!(json.contains(r#""finish":"length""#), "{json}");
        assert_eq!(
            serde_json::from_str::<CompletionRecord>(&json).unwrap(),
            record
        );
        let broken = CompletionRecord {
            advantage: f64::NAN,
            ..record
        };
        let json = serde_json::to_string(&broken).unwrap();
        let back: CompletionRecord = serde_json::from_str(&json).unwrap();
        assert!(back.advantage.is_nan());
    }
}
