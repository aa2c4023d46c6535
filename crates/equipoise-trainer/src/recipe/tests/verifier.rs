//! `[verifier]`: any verifier by name, and the one that a task names.

use super::super::{Recipe, RecipeError, VerifierSection};
use super::MINIMAL;

/// The minimal recipe with another `[verifier]`, and with another task if one is given.
fn parse(verifier: &str, data: Option<&str>) -> Result<Recipe, RecipeError> {
    let text = MINIMAL.replace("[verifier]\nkind = \"number\"\n", verifier);
    let text = match data {
        Some(data) => text.replace("task = \"arithmetic\"\n", data),
        None => text,
    };
    Recipe::parse(&text, "r.toml", &[])
}

fn named(recipe: &Recipe) -> (String, String) {
    match &recipe.verifier {
        VerifierSection::Named(named) => {
            let options = serde_json::Value::Object(named.options.clone());
            (named.name.clone(), options.to_string())
        }
        VerifierSection::Mix(mix) => panic!("{mix:?}"),
    }
}

#[test]
fn a_verifier_has_a_name_and_options_and_survives_its_text() {
    let text = "[verifier]\nname = \"weighted\"\nparts = [\n  { weight = 0.9, verifier = \"math\" },\n  \
                { weight = 0.1, verifier = { name = \"format\", open = \"<a>\", close = \"</a>\" } },\n]\n";
    for text in [text, "[verifier]\nname = \"math\"\ndecimals = 4\n"] {
        let recipe = parse(text, None).unwrap();
        let written = recipe.to_toml().unwrap();
        let again = Recipe::parse(&written, "again", &[]).unwrap();
        assert_eq!(again, recipe, "{written}");
        assert!(named(&recipe).1.len() > 2);
    }
}

#[test]
fn lengths_in_tokens_are_the_models() {
    let text =
        "[verifier]\nname = \"soft_overlong\"\nunit = \"tokens\"\nmax_length = 64\ncache = 16\n";
    assert!(
        parse(text, None).is_ok(),
        "{}",
        parse(text, None).unwrap_err()
    );
}

#[test]
fn what_is_wrong_is_said() {
    let error = |text| parse(text, None).unwrap_err().to_string();
    let unknown = error("[verifier]\nname = \"maths\"\n");
    assert!(
        unknown.contains("verifier.name: ") && unknown.contains("math"),
        "{unknown}"
    );
    let option = error("[verifier]\nname = \"math\"\ndecimal = 4\n");
    assert!(option.contains("decimals"), "{option}");
}

#[test]
fn a_task_names_its_verifier() {
    let of = |data| named(&parse("", Some(data)).unwrap());
    let tag = r#"{"extraction":{"after_tag":"</think>"}}"#;
    let exact = |name: &str| (name.to_owned(), tag.to_owned());
    assert_eq!(of("task = \"arithmetic\"\n"), exact("exact_number"));
    assert_eq!(of("task = \"number_sorting\"\n"), exact("exact_match"));
    assert_eq!(of("task = \"code_tasks\"\n").0, "code");
    assert_eq!(of("task = \"countdown\"\n").0, "countdown_expression");
    let mixture = "task = \"mixture\"\n[data.mixture]\ncomponents = [\n  \
                   { family = \"base_conversion\", weight = 1.0, difficulty = [1, 2] },\n  \
                   { family = \"code_tasks\", weight = 1.0, difficulty = [1, 1] },\n]\n";
    let (name, options) = of(mixture);
    assert_eq!(name, "by_source");
    assert!(options.contains(r#""code_tasks":"code""#), "{options}");
    // Files do not say how they are scored.
    let error = parse("", Some("path = \"p.jsonl\"\n"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("verifier"), "{error}");
}
