//! `[data]` with files: what is filled in, what reaches the reader, and what is refused.

use super::super::{DataSource, Deduplicate, ExtraColumns, OnBadRow, Recipe, RecipeError};
use super::MINIMAL;

/// The minimal recipe with another `[data]`.
fn parse(data: &str) -> Result<Recipe, RecipeError> {
    let text = MINIMAL.replace("task = \"arithmetic\"\n", data);
    Recipe::parse(&text, "r.toml", &[])
}

fn error(data: &str) -> String {
    parse(data).unwrap_err().to_string()
}

const GSM8K: &str = r#"
path = "train.jsonl"
held_out_path = "test.jsonl"
columns = { prompt = "question", completion = "answer" }
answer_after = '####'
prompt_template = "{prompt}\nAnswer after ####."
system = "Think."
on_bad_row = "skip"
deduplicate = "near"
[data.filter]
max_prompt_tokens = 400
one_of = { level = ["1", "2"] }
"#;

#[test]
fn everything_is_read_resolved_and_written() {
    let recipe = parse(GSM8K).unwrap();
    let data = &recipe.data;
    assert_eq!(data.max_bad_share, Some(0.1));
    assert_eq!(
        (data.near_similarity, data.near_words),
        (Some(0.9), Some(3))
    );
    assert_eq!(data.extra_columns, Some(ExtraColumns::Error));
    assert!(matches!(data.source(), Some(DataSource::Files(_))));
    let files = data.files();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].columns.as_ref().unwrap()["prompt"], "question");
    let held_out = data.held_out_file().unwrap();
    assert_eq!(held_out.answer_after.as_deref(), Some("####"));
    let text = recipe.to_toml().unwrap();
    assert_eq!(
        Recipe::parse(&text, "again", &[]).unwrap(),
        recipe,
        "{text}"
    );

    let plain = parse("path = \"p.jsonl\"\n").unwrap().data;
    assert_eq!(plain.on_bad_row, Some(OnBadRow::Error));
    assert_eq!(plain.deduplicate, Some(Deduplicate::Exact));
    assert_eq!((plain.max_bad_share, plain.near_words), (None, None));
    // A task has nothing of all this.
    let task = Recipe::parse(MINIMAL, "r.toml", &[]).unwrap().data;
    assert!(task.on_bad_row.is_none() && task.extra_columns.is_none());
    assert!(task.files().is_empty());
}

#[test]
fn sources_replace_what_is_said_of_all() {
    let recipe = parse(
        r#"
answer_after = '####'
columns = { prompt = "question" }
[[data.sources]]
path = "a.jsonl"
weight = 3
[[data.sources]]
path = "b.parquet"
weight = 0.5
columns = { prompt = "problem" }
answer_after = "A:"
extra_columns = "ignore"
"#,
    )
    .unwrap();
    let files = recipe.data.files();
    assert_eq!(files[0].weight, Some(3.0));
    assert_eq!(files[0].answer_after.as_deref(), Some("####"));
    assert_eq!(files[0].columns.as_ref().unwrap()["prompt"], "question");
    assert_eq!(files[0].extra_columns, Some(ExtraColumns::Error));
    assert_eq!(files[1].answer_after.as_deref(), Some("A:"));
    assert_eq!(files[1].columns.as_ref().unwrap()["prompt"], "problem");
    assert_eq!(files[1].extra_columns, Some(ExtraColumns::Ignore));
    let text = recipe.to_toml().unwrap();
    assert_eq!(
        Recipe::parse(&text, "again", &[]).unwrap(),
        recipe,
        "{text}"
    );
}

#[test]
fn what_is_refused() {
    let path = "path = \"p.jsonl\"\n";
    for (data, what) in [
        (
            "task = \"arithmetic\"\ncolumns = { prompt = \"q\" }\n",
            "data.columns: has no effect without `path`; remove it",
        ),
        (
            "path = \"p\"\nsources = [{ path = \"q\" }]\n",
            "data.sources: either `path`, for one file, or `sources`, for several, not both",
        ),
        (
            "task = \"arithmetic\"\nsources = [{ path = \"q\" }]\n",
            "data.task: either `task`, whose problems are generated, or `path`, whose problems are \
             read, not both",
        ),
        (
            "sources = []\n",
            "data.sources: is empty; name at least one file",
        ),
        (
            "sources = [{ path = \"p\", weight = 1 }, { path = \"q\" }]\n",
            "data.sources: 1 of 2 have a weight; give every source one, or none",
        ),
        (
            "sources = [{ path = \"p\", weight = 0 }]\n",
            "data.sources[0].weight: is 0; it must be positive and finite",
        ),
        (
            &format!("{path}columns = {{ promt = \"q\" }}\n"),
            "data.columns.promt: is no column; the columns are prompt, messages, answer, completion",
        ),
        (
            &format!("{path}answer_after = \" \"\n"),
            "data.answer_after: is empty; it must be a marker such as \"####\"",
        ),
        (
            &format!("{path}max_bad_share = 0.2\n"),
            "data.max_bad_share: has no effect without `on_bad_row = \"skip\"`; remove it",
        ),
        (
            &format!("{path}on_bad_row = \"skip\"\nmax_bad_share = 2\n"),
            "data.max_bad_share: is 2; it must be from 0 to 1",
        ),
        (
            &format!("{path}prompt_template = \"Q:\"\n"),
            "data.prompt_template: is \"Q:\"; it must hold {prompt}, the place of what is asked",
        ),
        (
            &format!("{path}near_words = 2\n"),
            "data.near_words: has no effect without `deduplicate = \"near\"`; remove it",
        ),
        (
            &format!("{path}deduplicate = \"near\"\nnear_similarity = 0\n"),
            "data.near_similarity: is 0; it must be above 0 and at most 1",
        ),
        (
            &format!("{path}[data.filter]\nmin_prompt_characters = 3\nmax_prompt_characters = 2\n"),
            "data.filter.min_prompt_characters: is 3; it must be at most max_prompt_characters = 2",
        ),
        (
            &format!("{path}[data.filter.one_of]\nlevel = []\n"),
            "data.filter.one_of.level: is empty; name at least one value that is kept",
        ),
    ] {
        assert_eq!(error(data), format!("r.toml: {what}"), "{data}");
    }
    let wrong = error("path = \"p\"\ncolumns = 3\n");
    assert_eq!(
        wrong,
        "r.toml: data.columns: expected a table, found the number 3"
    );
    let unknown = error("sources = [{ path = \"p\", wieght = 1 }]\n");
    assert!(
        unknown.contains("data.sources[0]") && unknown.contains("weight"),
        "{unknown}"
    );
}
