//! The report of a run: one HTML file that needs nothing else, and the learning curve as a picture.
//!
//! Everything is drawn here, from the records, without a plotting library: the page loads no font,
//! style, script or image, so it can be mailed, archived and opened without a network. The drawings
//! are complete without the page's script, which only adds the values under the pointer.

mod chart;
mod headline;
mod panels;
mod run;
mod samples;
mod scale;
mod smooth;
mod text;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use chart::{CHART_CSS, Chart, Size};
use headline::Headline;
use run::{Run, Stage};
use text::{attribute, escape};

use crate::{TrackingError, catalogue};

/// The report's name in a run's directory.
pub const REPORT_FILE: &str = "report.html";

const PALETTE_CSS: &str = include_str!("palette.css");
const STYLE_CSS: &str = include_str!("style.css");
const SCRIPT_JS: &str = include_str!("script.js");

/// A chart of a grid.
const SMALL: Size = Size {
    width: 352.0,
    height: 190.0,
};
/// The first chart on a wide page.
const WIDE: Size = Size {
    width: 1120.0,
    height: 330.0,
};
/// The first chart on a narrow page.
const NARROW: Size = Size {
    width: 372.0,
    height: 250.0,
};

/// Writes the report of the run in `run_dir` into [`REPORT_FILE`] there, and returns its path. The
/// file appears whole: it is written under another name and renamed.
///
/// Read are `metrics.jsonl` and, if they are there, `timings.jsonl`, `completions.jsonl` and
/// `recipe.toml`. A last line that a crash cut short is left out, and the report says so; metrics
/// this version does not know get a chart of their own.
///
/// # Errors
/// [`TrackingError::Empty`] if there are no metrics, [`TrackingError::Line`] if another line than
/// the last is not a record, [`TrackingError::Io`] if a file cannot be read or written.
pub fn write(run_dir: &Path) -> Result<PathBuf, TrackingError> {
    let html = html(&Run::read(run_dir)?);
    let path = run_dir.join(REPORT_FILE);
    let temporary = run_dir.join(format!(".{REPORT_FILE}.tmp"));
    fs::write(&temporary, html).map_err(TrackingError::io("write", &temporary))?;
    fs::rename(&temporary, &path).map_err(TrackingError::io("write", &path))?;
    Ok(path)
}

/// The learning curve of the run in `run_dir` as a standalone SVG picture: held-out accuracy over
/// all stages and, beside it, the mean reward. It follows the reader's light or dark preference.
///
/// # Errors
/// As [`write()`], and [`TrackingError::Empty`] if neither was recorded.
pub fn learning_curve_svg(run_dir: &Path) -> Result<String, TrackingError> {
    let run = Run::read(run_dir)?;
    let accuracy = Some(panels::accuracy(&run)).filter(Chart::has_data);
    let charts: Vec<Chart> = accuracy.into_iter().chain(panels::reward(&run)).collect();
    if charts.is_empty() {
        return Err(TrackingError::Empty {
            path: run_dir.to_owned(),
        });
    }
    let (width, height, margin, head) = (880.0, 320.0, 24.0, 58.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart-svg\" viewBox=\"0 0 {width} \
         {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" aria-labelledby=\"t\"><title \
         id=\"t\">Learning curve of {}</title><style>{PALETTE_CSS}{CHART_CSS}</style><rect \
         width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"var(--paper)\"/>",
        escape(&run.name)
    );
    // The accuracy has several stages and gets more of the width than the reward.
    let shares: &[f64] = if charts.len() == 2 {
        &[0.6, 0.4]
    } else {
        &[1.0]
    };
    let gap = 28.0;
    let free = width - 2.0 * margin - gap * (charts.len() - 1) as f64;
    let mut left = margin;
    for (chart, share) in charts.iter().zip(shares) {
        let size = Size {
            width: free * share,
            height: height - head - margin + 8.0,
        };
        let _ = write!(
            svg,
            "<g transform=\"translate({left:.1} 0)\"><text class=\"heading\" x=\"0\" \
             y=\"28\">{}</text><text class=\"note\" x=\"0\" y=\"46\">{}</text><g \
             transform=\"translate(0 {head})\">{}</g></g>",
            escape(&chart.title),
            escape(&chart.caption),
            chart.body(size)
        );
        left += size.width + gap;
    }
    Ok(svg + "</svg>\n")
}

/// The whole page.
fn html(run: &Run) -> String {
    let name = escape(&run.name);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><title>{name} · Equipoise</title>\
         <style>{PALETTE_CSS}{CHART_CSS}{STYLE_CSS}</style></head><body><header><p \
         class=\"kicker\">Equipoise · training report</p><h1>{name}</h1>{}</header><main>",
        Headline::new(run).html(run)
    );
    if !run.warnings.is_empty() {
        let warnings = run
            .warnings
            .iter()
            .map(|text| format!("<li>{}</li>", escape(text)));
        let _ = write!(
            page,
            "<aside class=\"warnings\"><h2>About these records</h2><ul>{}</ul></aside>",
            warnings.collect::<String>()
        );
    }
    first_chart(run, &mut page);
    // Reinforcement learning is what the report is about; what came before stands after it.
    let mut stages: Vec<(usize, &Stage)> = run.stages.iter().enumerate().collect();
    stages.sort_by_key(|(_, stage)| !stage.is_reinforcement());
    for (index, stage) in stages {
        stage_sections(index, stage, &mut page);
    }
    page.push_str(&samples::html(&run.before, &run.after));
    page.push_str(&glossary(run));
    if let Some(recipe) = &run.recipe {
        let _ = write!(
            page,
            "<section><details id=\"recipe\"><summary>Recipe</summary><pre \
             class=\"recipe\">{}</pre></details></section>",
            highlight(recipe)
        );
    }
    let _ = writeln!(
        page,
        "</main><footer><p>Each faint line is a series as recorded. The strong line is its average \
         under a centred Gaussian kernel with a standard deviation of 2% of the recorded steps (at \
         least one; on a logarithmic scale the average is geometric); series of up to 40 values are \
         drawn as points and not averaged. The label at the end of a line is its last recorded \
         value. Written by Equipoise {}.</p></footer><script>{SCRIPT_JS}</script></body></html>",
        env!("CARGO_PKG_VERSION")
    );
    page
}

/// Held-out accuracy over the whole run, drawn for wide and for narrow pages.
fn first_chart(run: &Run, page: &mut String) {
    let chart = panels::accuracy(run);
    if !chart.has_data() {
        page.push_str("<p class=\"missing\">Not recorded: held-out accuracy.</p>");
        return;
    }
    if chart.segments.len() > 1 {
        let caption = format!("{} Each stage has its own scale of steps.", chart.caption);
        page.push_str(&figure(&Chart { caption, ..chart }, "accuracy", true));
    } else {
        page.push_str(&figure(&chart, "accuracy", true));
    }
}

/// A chart with its heading; one that leads the page is drawn in two sizes.
fn figure(chart: &Chart, id: &str, leads: bool) -> String {
    let note = if chart.is_logarithmic() {
        " Logarithmic scale."
    } else {
        ""
    };
    let heading = if leads { "h2" } else { "h4" };
    let mut html = format!(
        "<figure class=\"{}\"><figcaption><{heading}>{}</{heading}><p>{}{note}</p></figcaption>",
        if leads { "lead" } else { "small" },
        escape(&chart.title),
        escape(&chart.caption)
    );
    let sizes: &[(&str, Size)] = if leads {
        &[("on-wide", WIDE), ("on-narrow", NARROW)]
    } else {
        &[("", SMALL)]
    };
    for (class, size) in sizes {
        let _ = write!(
            html,
            "<div class=\"plot {class}\" data-chart='{}'>{}</div>",
            attribute(&chart.data(*size)),
            chart.svg(&format!("{id}{class}"), *size)
        );
    }
    html + "</figure>"
}

/// Everything about one stage except its held-out accuracy.
fn stage_sections(stage_index: usize, stage: &Stage, page: &mut String) {
    let sections = panels::sections(stage);
    if sections.is_empty() {
        return;
    }
    let _ = write!(
        page,
        "<section class=\"stage\"><h2>{}</h2>",
        escape(&stage.title())
    );
    for (section_index, section) in sections.iter().enumerate() {
        let _ = write!(
            page,
            "<div class=\"group\"><h3>{}</h3><p class=\"lede\">{}</p>",
            section.title, section.lede
        );
        if !section.charts.is_empty() {
            page.push_str("<div class=\"grid\">");
            for (index, chart) in section.charts.iter().enumerate() {
                let id = format!("chart-{stage_index}-{section_index}-{index}");
                page.push_str(&figure(chart, &id, false));
            }
            page.push_str("</div>");
        }
        if !section.missing.is_empty() {
            let missing = section.missing.join(", ");
            let _ = write!(page, "<p class=\"missing\">Not recorded: {missing}.</p>");
        }
        page.push_str("</div>");
    }
    page.push_str("</section>");
}

/// The metrics of this run, with what they mean and their last value.
fn glossary(run: &Run) -> String {
    let mut rows = String::new();
    for stage in &run.stages {
        for key in &stage.keys {
            let metric = catalogue::find(key);
            let last = stage.series(key).last().map_or(f64::NAN, |point| point.1);
            let _ = write!(
                rows,
                "<tr><td>{}</td><td><code>{}</code></td><td>{}</td><td>{}</td><td class=\"n\">{}\
                 </td></tr>",
                escape(&stage.name),
                escape(key),
                metric.map_or("", |metric| metric.meaning),
                metric.map_or("", |metric| metric.unit),
                text::number(last)
            );
        }
    }
    format!(
        "<section><details><summary>Every metric of this run</summary><table class=\"glossary\">\
         <thead><tr><th scope=\"col\">Stage</th><th scope=\"col\">Metric</th><th \
         scope=\"col\">Meaning</th><th scope=\"col\">Unit</th><th scope=\"col\" class=\"n\">Last \
         value</th></tr></thead><tbody>{rows}</tbody></table></details></section>"
    )
}

/// A recipe with its headings, keys and comments set apart.
fn highlight(recipe: &str) -> String {
    let lines = recipe.lines().map(|line| {
        let escaped = escape(line);
        let start = line.trim_start();
        if start.starts_with('#') {
            format!("<i>{escaped}</i>\n")
        } else if start.starts_with('[') {
            format!("<b>{escaped}</b>\n")
        } else if let Some((key, value)) = line.split_once('=') {
            format!("<span>{}</span>={}\n", escape(key), escape(value))
        } else {
            format!("{escaped}\n")
        }
    });
    lines.collect()
}
