//! The marks of a chart: axes, lines and the labels at their ends.

use std::fmt::Write as _;

use super::{BUCKETS, Chart, Frame, Line, Size};
use crate::report::scale::{Scale, whole_ticks};
use crate::report::smooth::{Point, bandwidth, smooth, stretches, thin};
use crate::report::text::{decimal, escape};

/// Series with at most this many points are drawn as points joined by lines, not smoothed.
const FEW: usize = 40;

impl Chart {
    /// The drawing without its outer element.
    pub(in crate::report) fn body(&self, size: Size) -> String {
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
        let labels = self
            .unit
            .ticks(&frame.scale.ticks, frame.scale.is_logarithmic());
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
        let _ = write!(
            svg,
            "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">step</text>",
            frame.left - 6.0,
            frame.bottom + 16.0
        );
        let mut free = frame.left - 4.0;
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
            let count = ((to - from) / 65.0).max(2.0) as u32;
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
                if self.is_exact && count > FEW {
                    let thinned = path(&thin(stretch, BUCKETS));
                    let _ = write!(
                        svg,
                        "<path class=\"line c{}\" d=\"{thinned}\"/>",
                        line.colour
                    );
                } else if count <= FEW || stretch.len() < 3 {
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
                    let smoothed = smoothed(&frame.scale, stretch, bandwidth(run.len()));
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
            let Some(label) = self.end_label(line, &frame.scale) else {
                continue;
            };
            let runs = line.runs.iter().rev();
            let ends = runs.filter_map(|run| Some((run.len(), stretches(run).pop()?)));
            let Some((count, stretch)) = { ends }.next() else {
                continue;
            };
            let end = if self.is_exact || stretch.len() <= FEW {
                stretch.last().copied()
            } else {
                // The kernel reaches no further than this.
                let reach = 1 + (3.0 * bandwidth(count)).ceil() as usize;
                let tail = &stretch[stretch.len().saturating_sub(reach)..];
                smoothed(&frame.scale, tail, bandwidth(count)).pop()
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
}

/// The smoothed series; on a logarithmic axis the average is geometric, as it looks there.
fn smoothed(scale: &Scale, points: &[Point], sigma: f64) -> Vec<Point> {
    if !scale.is_logarithmic() {
        return smooth(points, sigma);
    }
    let logarithms: Vec<Point> = points.iter().map(|&(x, y)| (x, y.ln())).collect();
    let averages = smooth(&logarithms, sigma).into_iter();
    averages.map(|(x, y)| (x, y.exp())).collect()
}
