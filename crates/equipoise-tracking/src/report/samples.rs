//! Completions before and after, as tables.

use std::fmt::Write as _;

use equipoise_core::Finish;

use super::text::{decimal, escape, number};
use crate::CompletionRecord;

/// How many problems a table shows.
const PROBLEMS: usize = 3;
/// How many samples of each problem.
const SAMPLES: usize = 3;
/// How many characters of a text.
const CHARACTERS: usize = 1500;

/// The section with both tables; empty without any completion.
pub(super) fn html(before: &[CompletionRecord], after: &[CompletionRecord]) -> String {
    if before.is_empty() {
        return String::new();
    }
    let mut html = format!(
        "<section id=\"completions\"><h2>Completions</h2><p class=\"lede\">The first {SAMPLES} \
         samples of the first {PROBLEMS} problems of a step, as they came: none were chosen by \
         hand.</p>"
    );
    let titles = if after.is_empty() {
        ["The only recorded step", ""]
    } else {
        ["Before", "After"]
    };
    for (title, records) in titles.into_iter().zip([before, after]) {
        html.push_str(&table(title, records));
    }
    html + "</section>"
}

/// The records of one step: the first samples of the first problems.
fn table(title: &str, records: &[CompletionRecord]) -> String {
    let Some(first) = records.first() else {
        return String::new();
    };
    let mut html = format!(
        "<table class=\"samples\"><caption><b>{title}</b> {} step {}, {} completions \
         recorded</caption><thead><tr><th scope=\"col\">Problem</th><th \
         scope=\"col\">Completion</th><th scope=\"col\">Reward</th><th scope=\"col\" \
         class=\"n\">Advantage</th><th scope=\"col\" class=\"n\">Weight</th></tr></thead>",
        escape(&first.stage),
        first.step,
        records.len()
    );
    let mut problems: Vec<u64> = Vec::new();
    for record in records {
        if !problems.contains(&record.problem) && problems.len() < PROBLEMS {
            problems.push(record.problem);
        }
    }
    for problem in problems {
        let group = records.iter().filter(|record| record.problem == problem);
        let group: Vec<_> = group.take(SAMPLES).collect();
        html.push_str("<tbody>");
        for (index, record) in group.iter().enumerate() {
            html.push_str("<tr>");
            if index == 0 {
                let _ = write!(
                    html,
                    "<td class=\"problem\" rowspan=\"{}\"><pre>{}</pre><span class=\"answer\">\
                     answer <code>{}</code></span></td>",
                    group.len(),
                    clip(&record.prompt),
                    clip(&record.answer)
                );
            }
            html.push_str(&cells(record));
            html.push_str("</tr>");
        }
        html.push_str("</tbody>");
    }
    html + "</table>"
}

/// What differs between the samples of a problem.
fn cells(record: &CompletionRecord) -> String {
    let ending = match record.finish {
        Finish::Stop => "",
        Finish::Length => ", <em>truncated</em>",
    };
    let reward = match (&record.reward, &record.unscorable) {
        (Some(reward), _) => format!("<b>{}</b>", number(*reward)),
        (None, Some(why)) => format!("<b>unscorable</b> <small>{}</small>", escape(why)),
        (None, None) => "<b>unscorable</b>".to_owned(),
    };
    let parts: String = record
        .parts
        .iter()
        .map(|(name, value)| format!("<small>{} {}</small>", escape(name), number(*value)))
        .collect();
    let (class, advantage) = match record.advantage {
        advantage if advantage > 0.0 => ("positive", format!("+{}", decimal(advantage, 2))),
        advantage if advantage < 0.0 => ("negative", decimal(advantage, 2)),
        advantage => ("zero", number(advantage)),
    };
    format!(
        "<td class=\"completion\"><pre>{}</pre><small>{} tokens{ending}</small></td>\
         <td class=\"reward\" data-name=\"reward\">{reward}{parts}</td>\
         <td class=\"n {class}\" data-name=\"advantage\">{advantage}</td>\
         <td class=\"n\" data-name=\"weight\">{}</td>",
        clip(&record.completion),
        record.tokens,
        number(record.weight)
    )
}

/// The beginning of a text, escaped, and how much was left out.
fn clip(text: &str) -> String {
    let count = text.chars().count();
    if count <= CHARACTERS {
        return escape(text);
    }
    let start: String = text.chars().take(CHARACTERS).collect();
    let rest = decimal((count - CHARACTERS) as f64, 0);
    format!("{}<i>… {rest} more characters</i>", escape(&start))
}
