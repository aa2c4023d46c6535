//! Line charts as SVG: faint grid, labels at the ends of the lines, raw values behind smoothed ones.

mod draw;

use std::fmt::Write as _;

use serde_json::json;

use super::scale::{Range, Scale};
use super::smooth::{Point, stretches, thin};
use super::text::{Unit, escape, visible};

/// The look of the charts, shared by the report and the standalone picture.
pub(super) const CHART_CSS: &str = include_str!("chart.css");

/// How many buckets a longer series is thinned to.
const BUCKETS: usize = 160;

/// The least margins beside the plot, wide enough for most labels, so that the plots of a column
/// begin and end together.
const LEFT: f64 = 40.0;
const RIGHT: f64 = 54.0;

/// One line of a chart.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// What the line is called at its end.
    pub(super) name: String,
    /// Its colour: 1 to 6, by meaning.
    pub(super) colour: usize,
    /// Its points in each segment of the horizontal axis.
    pub(super) runs: Vec<Vec<Point>>,
}

/// A part of the horizontal axis with its own scale: one stage.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    /// What stands above it; empty for nothing.
    pub(super) name: String,
    /// The first and the last step.
    pub(super) steps: (f64, f64),
    /// Its share of the width, relative to the other segments.
    pub(super) share: f64,
}

/// A chart, before it has a size.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    /// The heading.
    pub(super) title: String,
    /// One sentence under it.
    pub(super) caption: String,
    /// How values are printed.
    pub(super) unit: Unit,
    /// Where the vertical axis starts and ends.
    pub(super) range: Range,
    /// The shortest span of the vertical axis: below it, differences are rounding errors.
    pub(super) least: f64,
    /// Whether the values are drawn as they are, because they carry no noise.
    pub(super) is_exact: bool,
    /// Whether the vertical axis may become logarithmic if the data ask for it.
    pub(super) may_be_logarithmic: bool,
    /// The lines.
    pub(super) lines: Vec<Line>,
    /// The horizontal axis, from left to right.
    pub(super) segments: Vec<Segment>,
}

/// The size of a drawing in its own units, which are pixels unless it is scaled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Where things are inside a drawing.
struct Frame {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    scale: Scale,
    /// The left and right end of each segment.
    spans: Vec<(f64, f64)>,
}

impl Frame {
    fn y(&self, value: f64) -> f64 {
        self.bottom - (self.bottom - self.top) * self.scale.position(value)
    }

    fn x(&self, chart: &Chart, segment: usize, step: f64) -> f64 {
        let (from, to) = self.spans[segment];
        let (first, last) = chart.segments[segment].steps;
        if last > first {
            from + (to - from) * ((step - first) / (last - first)).clamp(0.0, 1.0)
        } else {
            f64::midpoint(from, to)
        }
    }
}

impl Chart {
    /// Whether there is anything to draw.
    pub(super) fn has_data(&self) -> bool {
        !self.values().is_empty()
    }

    fn values(&self) -> Vec<f64> {
        let runs = self.lines.iter().flat_map(|line| &line.runs);
        let values = runs.flatten().map(|&(_, value)| value);
        values.filter(|value| value.is_finite()).collect()
    }

    fn frame(&self, size: Size) -> Frame {
        let values = self.values();
        let scale = self
            .may_be_logarithmic
            .then(|| Scale::logarithmic(&values))
            .flatten()
            .unwrap_or_else(|| Scale::new(&values, self.range, self.least));
        let widest = |labels: &mut dyn Iterator<Item = String>| {
            labels.map(|label| label.chars().count()).max().unwrap_or(0) as f64
        };
        let mut ticks = self
            .unit
            .ticks(&scale.ticks, scale.is_logarithmic())
            .into_iter();
        let left = (8.0 + 6.2 * widest(&mut ticks)).max(LEFT);
        let mut labels = self
            .lines
            .iter()
            .filter_map(|line| self.end_label(line, &scale));
        let margin = (12.0 + 6.4 * widest(&mut labels)).clamp(RIGHT, size.width / 3.0);
        let right = size.width - margin;
        let named = self.segments.iter().any(|segment| !segment.name.is_empty());
        let total: f64 = self.segments.iter().map(|segment| segment.share).sum();
        let mut from = left;
        let spans = self
            .segments
            .iter()
            .map(|segment| {
                let to = from + (right - left) * segment.share / total;
                let span = (from, to);
                from = to;
                span
            })
            .collect();
        Frame {
            left,
            right,
            top: if named { 24.0 } else { 8.0 },
            bottom: size.height - 24.0,
            scale,
            spans,
        }
    }

    /// The text at the end of a line: its last value, after its name if there are several.
    fn end_label(&self, line: &Line, scale: &Scale) -> Option<String> {
        let mut points = line.runs.iter().flatten().rev();
        let (_, last) = points.find(|(_, value)| value.is_finite())?;
        let nothing = scale.is_nothing(*last);
        let value = self.unit.format(if nothing { 0.0 } else { *last });
        if self.lines.len() == 1 {
            return Some(value);
        }
        let mut name: String = line.name.chars().take(12).collect();
        if line.name.chars().count() > 12 {
            name.push('…');
        }
        Some(format!("{name} {value}"))
    }

    /// What the chart shows, in a sentence for those who do not see it.
    fn description(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            let points: Vec<&Point> = line.runs.iter().flatten().collect();
            let mut finite = points.iter().filter(|(_, value)| value.is_finite());
            let Some(first) = finite.next() else { continue };
            let last = finite.next_back().unwrap_or(first);
            let _ = write!(
                text,
                "{}: {} at step {}, {} at step {}, {} values. ",
                line.name,
                self.unit.format(first.1),
                first.0,
                self.unit.format(last.1),
                last.0,
                points.len()
            );
        }
        text.trim_end().to_owned()
    }

    /// The drawing as an `svg` element for a page; `id` makes its parts addressable.
    pub(super) fn svg(&self, id: &str, size: Size) -> String {
        format!(
            "<svg class=\"chart-svg\" viewBox=\"0 0 {} {}\" role=\"img\" \
             aria-labelledby=\"{id}-t {id}-d\"><title id=\"{id}-t\">{}</title>\
             <desc id=\"{id}-d\">{}</desc>{}</svg>",
            size.width,
            size.height,
            escape(&self.title),
            escape(&self.description()),
            self.body(size)
        )
    }

    /// The points for the page's script, as JSON: the names of the segments, and per line its name
    /// and colour, and for each point the segment, the position, the step and the printed value.
    pub(super) fn data(&self, size: Size) -> String {
        let frame = self.frame(size);
        let segments = self.segments.iter().map(|segment| {
            let name = segment.name.split(" · ").next().unwrap_or_default();
            if self.segments.len() > 1 {
                visible(name)
            } else {
                String::new()
            }
        });
        let lines = self.lines.iter().map(|line| {
            let mut points = Vec::new();
            for (segment, run) in line.runs.iter().enumerate() {
                let thinned = stretches(run)
                    .into_iter()
                    .flat_map(|part| thin(part, BUCKETS));
                points.extend(thinned.map(|(step, value)| {
                    let x = frame.x(self, segment, step).round() as i64;
                    let y = frame.y(value).round() as i64;
                    json!([segment, x, y, step as u64, self.unit.format(value)])
                }));
            }
            json!({"name": visible(&line.name), "colour": line.colour, "points": points})
        });
        let (segments, lines): (Vec<_>, Vec<_>) = (segments.collect(), lines.collect());
        json!({"segments": segments, "lines": lines}).to_string()
    }

    /// Whether the vertical axis is logarithmic.
    pub(super) fn is_logarithmic(&self) -> bool {
        self.may_be_logarithmic && Scale::logarithmic(&self.values()).is_some()
    }
}

#[cfg(test)]
mod tests;
