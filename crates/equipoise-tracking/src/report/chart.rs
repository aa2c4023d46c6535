//! Line charts as SVG: faint grid, labels at the ends of the lines, raw values behind smoothed ones.

use std::fmt::Write as _;

use serde_json::json;

use super::scale::{Range, Scale, whole_ticks};
use super::smooth::{Point, bandwidth, smooth, stretches, thin};
use super::text::{Unit, decimal, escape};

/// The look of the charts, shared by the report and the standalone picture.
pub(super) const CHART_CSS: &str = include_str!("chart.css");

/// Series with at most this many points are drawn as points joined by lines, not smoothed.
const FEW: usize = 40;

/// How many buckets a longer series is thinned to.
const BUCKETS: usize = 160;

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
            .unwrap_or_else(|| {
                let least = if self.unit == Unit::Share {
                    0.01
                } else {
                    1e-12
                };
                Scale::new(&values, self.range, least)
            });
        let widest = |labels: &mut dyn Iterator<Item = String>| {
            labels.map(|label| label.chars().count()).max().unwrap_or(0) as f64
        };
        let mut ticks = self.unit.ticks(&scale.ticks).into_iter();
        let left = 8.0 + 6.2 * widest(&mut ticks);
        let mut labels = self.lines.iter().filter_map(|line| self.end_label(line));
        let right = size.width - (12.0 + 6.4 * widest(&mut labels)).min(size.width / 3.0);
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
    fn end_label(&self, line: &Line) -> Option<String> {
        let mut points = line.runs.iter().flatten().rev();
        let (_, last) = points.find(|(_, value)| value.is_finite())?;
        let value = self.unit.format(*last);
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

    /// The drawing without its outer element.
    pub(super) fn body(&self, size: Size) -> String {
        let frame = self.frame(size);
        let mut svg = String::new();
        self.draw_axes(&frame, &mut svg);
        for line in &self.lines {
            self.draw_line(&frame, line, &mut svg);
        }
        self.draw_labels(&frame, &mut svg);
        svg
    }

    fn draw_axes(&self, frame: &Frame, svg: &mut String) {
        let labels = self.unit.ticks(&frame.scale.ticks);
        for (tick, label) in frame.scale.ticks.iter().zip(labels) {
            let y = frame.y(*tick);
            let base = *tick == 0.0 && !frame.scale.is_logarithmic();
            let _ = write!(
                svg,
                "<path class=\"{}\" d=\"M{:.1} {y:.1}H{:.1}\"/>\
                 <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                if base { "base" } else { "grid" },
                frame.left,
                frame.right,
                frame.left - 6.0,
                y + 3.6,
            );
        }
        let mut free = 0.0;
        for (index, segment) in self.segments.iter().enumerate() {
            let (from, to) = frame.spans[index];
            if index > 0 {
                let _ = write!(
                    svg,
                    "<path class=\"border\" d=\"M{from:.1} {:.1}V{:.1}\"/>",
                    frame.top - 18.0,
                    frame.bottom
                );
            }
            if !segment.name.is_empty() {
                let _ = write!(
                    svg,
                    "<text class=\"stage\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                    from + if index > 0 { 7.0 } else { 1.0 },
                    frame.top - 10.0,
                    escape(&segment.name)
                );
            }
            let count = ((to - from) / 75.0).max(1.0) as u32;
            for step in whole_ticks(segment.steps.0, segment.steps.1, count) {
                let x = frame.x(self, index, step);
                let label = decimal(step, 0);
                let half = 3.2 * label.len() as f64 + 4.0;
                if x - half < free {
                    continue;
                }
                free = x + half;
                let _ = write!(
                    svg,
                    "<path class=\"base\" d=\"M{x:.1} {:.1}v4\"/><text class=\"tick\" \
                     x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
                    frame.bottom,
                    frame.bottom + 16.0
                );
            }
        }
    }

    fn draw_line(&self, frame: &Frame, line: &Line, svg: &mut String) {
        let count: usize = line.runs.iter().map(Vec::len).sum();
        for (segment, run) in line.runs.iter().enumerate() {
            for stretch in stretches(run) {
                let path = |points: &[Point]| {
                    let mut path = String::new();
                    for (index, (step, value)) in points.iter().enumerate() {
                        let command = if index == 0 { 'M' } else { 'L' };
                        let (x, y) = (frame.x(self, segment, *step), frame.y(*value));
                        let _ = write!(path, "{command}{x:.1} {y:.1}");
                    }
                    path
                };
                if count <= FEW || stretch.len() < 3 {
                    let _ = write!(
                        svg,
                        "<path class=\"line c{}\" d=\"{}\"/>",
                        line.colour,
                        path(stretch)
                    );
                    for (step, value) in stretch {
                        let (x, y) = (frame.x(self, segment, *step), frame.y(*value));
                        let _ = write!(
                            svg,
                            "<circle class=\"dot c{}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.4\"/>",
                            line.colour
                        );
                    }
                } else {
                    let smoothed = smooth(stretch, bandwidth(run.len()));
                    let _ = write!(
                        svg,
                        "<path class=\"raw c{0}\" d=\"{1}\"/><path class=\"line c{0}\" d=\"{2}\"/>",
                        line.colour,
                        path(&thin(stretch, BUCKETS)),
                        path(&thin(&smoothed, BUCKETS))
                    );
                }
            }
        }
    }

    fn draw_labels(&self, frame: &Frame, svg: &mut String) {
        let mut labels: Vec<(f64, usize, String)> = Vec::new();
        for line in &self.lines {
            let Some(label) = self.end_label(line) else {
                continue;
            };
            let run = line
                .runs
                .iter()
                .rev()
                .find(|run| !stretches(run).is_empty());
            let stretch = run.and_then(|run| stretches(run).pop()).unwrap_or_default();
            let end = if stretch.len() <= FEW {
                stretch.last().copied()
            } else {
                let tail = stretch
                    .len()
                    .saturating_sub(4 * FEW.max(stretch.len() / 40));
                smooth(&stretch[tail..], bandwidth(stretch.len())).pop()
            };
            if let Some((_, value)) = end {
                labels.push((frame.y(value), line.colour, label));
            }
        }
        labels.sort_by(|a, b| a.0.total_cmp(&b.0));
        // Labels keep a distance: pushed down one after the other, then back up from the bottom.
        const DISTANCE: f64 = 12.5;
        for index in 1..labels.len() {
            labels[index].0 = labels[index].0.max(labels[index - 1].0 + DISTANCE);
        }
        let mut limit = frame.bottom;
        for label in labels.iter_mut().rev() {
            label.0 = label.0.min(limit);
            limit = label.0 - DISTANCE;
        }
        for (y, colour, label) in labels {
            let _ = write!(
                svg,
                "<text class=\"label c{colour}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                frame.right + 7.0,
                y + 3.8,
                escape(&label)
            );
        }
    }

    /// The points for the page's script, as JSON: the names of the segments, and per line its name
    /// and colour, and for each point the segment, the position, the step and the printed value.
    pub(super) fn data(&self, size: Size) -> String {
        let frame = self.frame(size);
        let segments = self.segments.iter().map(|segment| {
            let name = segment.name.split(" · ").next().unwrap_or_default();
            if self.segments.len() > 1 { name } else { "" }
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
            json!({"name": line.name, "colour": line.colour, "points": points})
        });
        let (segments, lines): (Vec<_>, Vec<_>) = (segments.collect(), lines.collect());
        json!({"segments": segments, "lines": lines}).to_string()
    }

    /// Whether the vertical axis is logarithmic.
    pub(super) fn is_logarithmic(&self) -> bool {
        self.may_be_logarithmic && Scale::logarithmic(&self.values()).is_some()
    }
}
