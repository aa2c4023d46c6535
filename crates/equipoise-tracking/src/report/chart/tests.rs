//! Drawings are whole, whatever the values.

use super::*;
use proptest::prelude::*;

const SIZE: Size = Size {
    width: 352.0,
    height: 190.0,
};

fn chart(runs: Vec<Vec<Point>>, range: Range, may_be_logarithmic: bool) -> Chart {
    let segments = runs.iter().map(|run| Segment {
        name: "stage".to_owned(),
        steps: (0.0, run.last().map_or(0.0, |point| point.0)),
        share: 1.0,
    });
    Chart {
        title: "Title".to_owned(),
        caption: String::new(),
        unit: Unit::Plain,
        range,
        least: 1e-12,
        is_exact: false,
        may_be_logarithmic,
        segments: segments.collect(),
        lines: vec![Line {
            name: "line".to_owned(),
            colour: 1,
            runs,
        }],
    }
}

/// Every number of every path of a drawing.
fn coordinates(svg: &str) -> Vec<f64> {
    let paths = svg.split(" d=\"").skip(1);
    let data = paths.map(|rest| rest.split('"').next().unwrap());
    let numbers = data.flat_map(|path| path.split(['M', 'L', 'H', 'V', 'v', ' ']));
    numbers
        .filter(|text| !text.is_empty())
        .map(|text| {
            text.parse()
                .unwrap_or_else(|_| panic!("{text:?} is not a number"))
        })
        .collect()
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => -1e3..1e3,
        2 => 0.0..1e-6,
        1 => Just(f64::NAN),
        1 => Just(1e150),
        1 => Just(-1e150),
        1 => Just(0.0),
    ]
}

proptest! {
    #[test]
    fn no_number_of_a_drawing_is_broken_or_outside(
        values in prop::collection::vec(prop::collection::vec(value(), 1..120), 1..3),
        range in prop_oneof![Just(Range::Data), Just(Range::Zero), Just(Range::Whole)],
        may_be_logarithmic: bool,
    ) {
        let runs = values.into_iter().map(|values| {
            values.into_iter().enumerate().map(|(step, value)| (step as f64, value)).collect()
        });
        let chart = chart(runs.collect(), range, may_be_logarithmic);
        let svg = chart.svg("id", SIZE);
        prop_assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        for number in coordinates(&svg) {
            prop_assert!((-20.0..=SIZE.width).contains(&number), "{number} in {svg}");
        }
        prop_assert!(serde_json::from_str::<serde_json::Value>(&chart.data(SIZE)).is_ok());
    }
}

/// The labels of the vertical axis.
fn axis(chart: &Chart) -> Vec<String> {
    let scale = chart.frame(SIZE).scale;
    chart.unit.ticks(&scale.ticks, scale.is_logarithmic())
}

proptest! {
    #[test]
    fn no_two_labels_of_an_axis_are_alike(
        first in prop_oneof![4 => value(), 1 => Just(3e-4), 1 => Just(1.0), 1 => 1e4..1e7],
        changes in prop::collection::vec(prop_oneof![3 => Just(0.0), 1 => -1e-4..1e-4], 0..20),
        range in prop_oneof![Just(Range::Data), Just(Range::Zero), Just(Range::Whole)],
        is_share: bool,
    ) {
        let values = [0.0].into_iter().chain(changes).map(|change| first * (1.0 + change));
        let run = values.enumerate().map(|(step, value)| (step as f64, value)).collect();
        let mut chart = chart(vec![run], range, false);
        if is_share {
            chart.unit = Unit::Share;
        }
        let labels = axis(&chart);
        prop_assert!(labels.len() >= 2);
        let alike = labels.windows(2).find(|pair| pair[0] == pair[1]);
        prop_assert!(alike.is_none(), "{labels:?}");
    }
}

#[test]
fn a_gap_is_not_bridged() {
    let points = [1.0, 2.0, f64::NAN, 3.0, 4.0];
    let run = points
        .iter()
        .enumerate()
        .map(|(x, y)| (x as f64, *y))
        .collect();
    let svg = chart(vec![run], Range::Data, false).body(SIZE);
    assert_eq!(svg.matches("class=\"line c1\"").count(), 2);
    assert_eq!(svg.matches("<circle").count(), 4);
}

#[test]
fn a_long_series_is_smoothed_and_its_noise_stays_visible() {
    let run = (0..100).map(|x| (f64::from(x), f64::from(x % 2))).collect();
    let svg = chart(vec![run], Range::Data, false).body(SIZE);
    assert_eq!(svg.matches("class=\"raw c1\"").count(), 1);
    assert_eq!(svg.matches("class=\"line c1\"").count(), 1);
}

#[test]
fn labels_do_not_touch() {
    let mut chart = chart(vec![vec![(0.0, 1.0), (1.0, 1.0)]], Range::Zero, false);
    chart.lines = vec![chart.lines[0].clone(); 5];
    let svg = chart.body(SIZE);
    let labels = svg.split("class=\"label c1\"").skip(1);
    let heights = labels.map(|rest| {
        let y = rest.split("y=\"").nth(1).unwrap();
        y.split('"').next().unwrap().parse::<f64>().unwrap()
    });
    let heights: Vec<f64> = heights.collect();
    assert_eq!(heights.len(), 5);
    assert!(
        heights.windows(2).all(|pair| pair[1] - pair[0] >= 12.0),
        "{heights:?}"
    );
    assert!(heights[4] <= SIZE.height);
}

#[test]
fn the_description_says_what_is_seen() {
    let chart = chart(
        vec![vec![(1.0, 0.25), (2.0, f64::NAN), (3.0, 0.75)]],
        Range::Zero,
        false,
    );
    let expected = "line: 0.250 at step 1, 0.750 at step 3, 3 values.";
    assert_eq!(chart.description(), expected);
}
