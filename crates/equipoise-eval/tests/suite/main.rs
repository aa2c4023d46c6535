//! The crate's tests.

mod calibration;
mod confidence;
mod contamination;
mod intervals;
mod judge;
mod majority;
mod metrics;
mod paired;
mod probe;
mod ranking;
mod report;
mod sample_set;

/// Equal to a relative or absolute 1e-9.
#[track_caller]
fn close(found: f64, expected: f64) {
    let slack = 1e-9 * expected.abs().max(1e-3);
    assert!((found - expected).abs() <= slack, "{found}, not {expected}");
}
