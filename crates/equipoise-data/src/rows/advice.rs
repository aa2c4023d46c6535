//! What to set when a file has columns that are not known.

use std::collections::BTreeMap;

/// Names that published data sets give to our columns.
const USUAL: [(&str, &[&str]); 9] = [
    (
        "prompt",
        &[
            "question",
            "problem",
            "instruction",
            "query",
            "input",
            "inputs",
        ],
    ),
    (
        "messages",
        &["conversation", "conversations", "dialogue", "chat"],
    ),
    (
        "answer",
        &[
            "final_answer",
            "ground_truth",
            "expected_answer",
            "gold",
            "target",
        ],
    ),
    (
        "completion",
        &["response", "output", "solution", "generation", "reasoning"],
    ),
    ("text", &["content", "document", "passage"]),
    ("chosen", &["preferred", "accepted", "response_chosen"]),
    ("rejected", &["dispreferred", "response_rejected"]),
    ("completions", &["steps"]),
    ("labels", &["ratings", "step_labels"]),
];

/// The settings that would make a row with the columns `extra` readable. `absent` are our columns that
/// it lacks, and `mapped` are the columns that are mapped already.
pub(super) fn advice(
    extra: &[String],
    absent: &[&str],
    mapped: &BTreeMap<String, String>,
) -> String {
    let mut columns = mapped.clone();
    let mut rest = 0;
    for name in extra {
        let lower = name.to_lowercase();
        let usual = USUAL
            .iter()
            .find(|(_, names)| names.contains(&lower.as_str()));
        match usual {
            Some((ours, _)) if absent.contains(ours) && !columns.contains_key(*ours) => {
                columns.insert((*ours).to_owned(), name.clone());
            }
            _ => rest += 1,
        }
    }
    let it = if extra.len() == 1 { "it" } else { "them" };
    let ignore = "extra_columns = \"ignore\"";
    if columns.len() == mapped.len() {
        return format!("to leave {it} out, add {ignore}");
    }
    let pairs: Vec<String> = columns
        .iter()
        .map(|(ours, theirs)| format!("{ours} = {theirs:?}"))
        .collect();
    let also = match rest {
        0 => String::new(),
        _ => format!(" and {ignore}"),
    };
    format!(
        "to read {it}, set columns = {{ {} }}{also}; to leave {it} out, add {ignore}",
        pairs.join(", ")
    )
}
