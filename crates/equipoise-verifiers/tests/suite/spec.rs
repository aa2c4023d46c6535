//! Verifiers by name.

use std::sync::Arc;

use equipoise_verifiers::{BuildErrorKind, CATALOGUE, Resources, Scorer, Verifier, VerifierSpec};
use proptest::prelude::*;
use serde::Deserialize;

use crate::{problem, reward};

#[derive(Deserialize)]
struct File {
    verifier: VerifierSpec,
}

fn read(text: &str) -> VerifierSpec {
    toml::from_str::<File>(text).unwrap().verifier
}

fn build(text: &str) -> Box<dyn Verifier> {
    read(text)
        .build()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[track_caller]
fn error(text: &str) -> String {
    match read(text).build() {
        Ok(verifier) => panic!("{text} gives {}", verifier.name()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_name_alone_or_with_options() {
    let plain = build("verifier = \"exact_match\"");
    let loose = build("verifier = { name = \"exact_match\", ignore_case = true }");
    assert_eq!(reward(&*plain, "Paris", "paris"), 0.0);
    assert_eq!(reward(&*loose, "Paris", "paris"), 1.0);
    let number =
        build("verifier = { name = \"exact_number\", extraction = { after_marker = \"####\" } }");
    assert_eq!(reward(&*number, "7", "5\n#### 7"), 1.0);
    let last = build("verifier = \"exact_number\"");
    assert_eq!(reward(&*last, "7", "5 7"), 1.0);
    let countdown = build("verifier = { name = \"countdown_expression\", use_all = false }");
    assert_eq!(
        reward(&*countdown, "{\"target\":3,\"numbers\":[3,5]}", "3"),
        1.0
    );
    let format = build("verifier = \"format\"");
    assert_eq!(reward(&*format, "", "<think></think>1"), 1.0);
    let soft = build(
        "verifier = { name = \"soft_overlong\", max_length = 4, cache = 2, unit = \"words\" }",
    );
    assert_eq!(reward(&*soft, "", "a b c"), -0.5);
}

#[test]
fn compositions_nest() {
    let all = build(
        r#"
        [verifier]
        name = "weighted"
        [[verifier.parts]]
        weight = 0.75
        verifier = { name = "gated", gate = "format", verifier = "exact_number", fallback = -1 }
        [[verifier.parts]]
        weight = 0.25
        verifier = { name = "first_scorable", verifiers = ["exact_number", { name = "pattern", pattern = "a" }] }
        "#,
    );
    assert_eq!(reward(&*all, "1", "<think>a</think>1"), 1.0);
    assert_eq!(reward(&*all, "1", "1"), -0.5);
    assert_eq!(reward(&*all, "x", "a"), -0.5);
    for name in ["minimum", "maximum", "product"] {
        let spec =
            format!("verifier = {{ name = \"{name}\", verifiers = [\"format\", \"language\"] }}");
        assert!(error(&spec).starts_with("verifiers[1]: language: missing field `scripts`"));
    }
    let cosine = build(
        "verifier = { name = \"cosine_length\", verifier = \"exact_number\", max_length = 2 }",
    );
    assert_eq!(reward(&*cosine, "1", " 1"), 0.5);
    let target = build("verifier = { name = \"target_length\", target = 3, alpha = 1 }");
    assert_eq!(reward(&*target, "", "ab"), -1.0);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let unknown = error("verifier = \"exact_mach\"");
    assert!(
        unknown.starts_with(
            "there is no verifier \"exact_mach\", did you mean \"exact_match\"?; the verifiers are \
             by_source, code, cosine_length, countdown_expression, "
        ),
        "{unknown}"
    );
    assert_eq!(
        error("verifier = { name = \"exact_match\", ignore_cas = true }"),
        "exact_match has no option \"ignore_cas\", did you mean \"ignore_case\"?; its options are \
         extraction, alternatives, nfkc, ignore_case, ignore_punctuation, ignore_articles, \
         collapse_white_space"
    );
    // A misspelt option is told before the one that is missing because of it.
    assert_eq!(
        error("verifier = { name = \"pattern\", patern = \"a\" }"),
        "pattern has no option \"patern\", did you mean \"pattern\"?; its options are pattern, whole, \
         forbidden"
    );
    for (text, expected) in [
        (
            "{ name = \"exact_match\", ignore_case = 1 }",
            "exact_match: ignore_case: invalid type",
        ),
        ("{ name = \"pattern\" }", "pattern: missing field `pattern`"),
        (
            "{ name = \"pattern\", pattern = \"(\" }",
            "pattern: pattern is \"(\"; it must be",
        ),
        (
            "{ name = \"soft_overlong\", max_length = -1, cache = 0 }",
            "soft_overlong: max_length: ",
        ),
        (
            "{ name = \"fuzzy_match\", similarity = \"cosine\" }",
            "fuzzy_match: similarity: unknown variant",
        ),
        (
            "{ name = \"weighted\", parts = [] }",
            "a weighted verifier needs at least one part",
        ),
        (
            "{ name = \"minimum\", verifiers = [] }",
            "minimum needs at least one verifier",
        ),
        (
            "{ name = \"weighted\", parts = [{ verifier = \"format\" }, { weight = 1, verifier = { \
             name = \"gated\", gate = \"format\", verifier = \"mth\" } }] }",
            "parts[1].verifier.verifier: there is no verifier \"mth\"",
        ),
        (
            "{ name = \"weighted\", parts = [{ weigth = 1, verifier = \"format\" }] }",
            "weighted: parts[0].weigth: unknown field `weigth`",
        ),
        (
            "{ name = \"soft_overlong\", max_length = 4, cache = 2, unit = \"tokens\" }",
            "soft_overlong needs a tokenizer",
        ),
        ("\"reward_model\"", "reward_model needs a model"),
    ] {
        let said = error(&format!("verifier = {text}"));
        assert!(said.starts_with(expected), "{said}\n{expected}");
    }
    let spec = toml::from_str::<File>("verifier = { ignore_case = true }");
    assert!(
        spec.err()
            .unwrap()
            .to_string()
            .contains("missing field `name`")
    );
    let spec = toml::from_str::<File>("verifier = 3");
    assert!(
        spec.err()
            .unwrap()
            .to_string()
            .contains("the name of a verifier, or a table")
    );
}

#[cfg(not(feature = "judge"))]
#[test]
fn a_verifier_that_is_left_out_is_known() {
    let error = VerifierSpec::new("judge").build().unwrap_err();
    assert!(
        matches!(
            error.kind,
            BuildErrorKind::Feature {
                feature: "judge",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn what_no_file_can_hold_comes_from_resources() {
    struct Length;
    impl Scorer for Length {
        fn score(&self, pairs: &[(&str, &str)]) -> Result<Vec<f64>, String> {
            Ok(pairs.iter().map(|(_, text)| text.len() as f64).collect())
        }
    }
    let mut resources = Resources::default();
    resources.tokenize = Some(Arc::new(|text| text.bytes().map(u32::from).collect()));
    resources.scorer = Some(Arc::new(Length));
    let model = VerifierSpec::new("reward_model")
        .build_with(&resources)
        .unwrap();
    assert_eq!(reward(&*model, "", "abc"), 3.0);
    let spec = VerifierSpec::new("soft_overlong")
        .with("max_length", 2)
        .with("cache", 0)
        .with("unit", "tokens");
    let soft = spec.build_with(&resources).unwrap();
    assert_eq!(reward(&*soft, "", "é"), 0.0);
    assert_eq!(reward(&*soft, "", "éa"), -1.0);
    let missing = spec.build().unwrap_err();
    assert!(matches!(missing.kind, BuildErrorKind::Missing { .. }));
}

#[test]
fn the_catalogue_is_in_order_and_complete() {
    let names: Vec<&str> = CATALOGUE.iter().map(|entry| entry.name).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(names, sorted);
    for entry in CATALOGUE {
        assert!(
            !entry.about.is_empty() && !entry.about.contains('\n'),
            "{entry:?}"
        );
        assert!(!entry.options().is_empty(), "{entry:?}");
    }
}

/// Everything that needs no more than options, with the least that it needs.
pub(crate) fn buildable() -> Vec<VerifierSpec> {
    let mut specs = Vec::new();
    for entry in CATALOGUE {
        let spec = VerifierSpec::new(entry.name);
        let two = || serde_json::json!(["exact_number", "format"]);
        specs.push(match entry.name {
            // They need what is not here; they have tests of their own.
            "code" | "judge" | "pairwise_judge" | "reward_model" => continue,
            "by_source" => spec.with("sources", serde_json::json!({"test": "exact_number"})),
            "cosine_length" => spec.with("verifier", "exact_number").with("max_length", 9),
            "first_scorable" | "maximum" | "minimum" | "product" => spec.with("verifiers", two()),
            "gated" => spec.with("gate", "format").with("verifier", "exact_number"),
            "identified_language" => spec.with("language", "eng"),
            "language" => spec.with("scripts", serde_json::json!(["Latin"])),
            "pattern" => spec.with("pattern", "a|1"),
            "soft_overlong" => spec.with("max_length", 9).with("cache", 3),
            "tags" => spec
                .with("tags", serde_json::json!(["think"]))
                .with("partial", true),
            "target_length" => spec.with("target", 4).with("verifier", "exact_number"),
            "weighted" => spec.with("parts", serde_json::json!([{"verifier": "exact_match"}])),
            _ => spec,
        });
    }
    specs
}

#[test]
fn verifiers_have_the_name_they_are_known_by() {
    for spec in buildable() {
        let verifier = spec
            .build()
            .unwrap_or_else(|error| panic!("{}: {error}", spec.name));
        assert_eq!(verifier.name(), spec.name);
        let answer = match spec.name.as_str() {
            "countdown_expression" => "{\"target\": 1, \"numbers\": [1]}",
            "multiple_choice" => "A",
            _ => "1",
        };
        let said = verifier.explain(&problem(answer), "<think>a</think>1");
        assert!(
            said.verdict.reward().is_some(),
            "{}: {}",
            spec.name,
            said.why
        );
    }
}

proptest! {
    /// A specification survives JSON and TOML.
    #[test]
    fn specifications_are_written_and_read(
        name in "[a-z_]{1,9}",
        options in proptest::collection::btree_map("[a-m]{1,5}", -9_i64..9, 0..4),
    ) {
        let mut spec = VerifierSpec::new(name);
        for (option, value) in options {
            spec = spec.with(option, value);
        }
        let json = serde_json::to_string(&spec).unwrap();
        prop_assert_eq!(&serde_json::from_str::<VerifierSpec>(&json).unwrap(), &spec);
        let file = toml::to_string(&std::collections::BTreeMap::from([("verifier", &spec)])).unwrap();
        prop_assert_eq!(read(&file), spec);
    }
}

#[test]
fn code_has_options_with_limits() {
    let spec = VerifierSpec::new("code");
    let debug = |spec: VerifierSpec| format!("{:?}", spec.build().unwrap());
    assert!(debug(spec.clone().with("seconds", 2.5)).contains("wall: 2.5s"));
    assert!(debug(spec.clone().with("reward", "pass_fraction")).contains("PassFraction"));
    assert!(debug(spec.clone().with("required", "isolated")).contains("required: Isolated"));
    let seconds = spec
        .clone()
        .with("seconds", 0.0)
        .build()
        .unwrap_err()
        .to_string();
    assert!(
        seconds.contains("seconds is 0; it must be more than 0"),
        "{seconds}"
    );
    let memory = spec.with("memory", 1).build().unwrap_err().to_string();
    assert!(
        memory.contains("memory is 1; it must be from 16"),
        "{memory}"
    );
}
