//! Smoothing and thinning of a series before it is drawn.

/// A step and a value.
pub(super) type Point = (f64, f64);

/// The stretches of a series between its gaps: the points that are not finite are left out, and no
/// line may be drawn across them.
pub(super) fn stretches(points: &[Point]) -> Vec<&[Point]> {
    let stretches = points.split(|(_, value)| !value.is_finite());
    stretches.filter(|stretch| !stretch.is_empty()).collect()
}

/// The standard deviation of the smoothing kernel, in recorded points, for a series of `count`.
pub(super) fn bandwidth(count: usize) -> f64 {
    (count as f64 / 50.0).max(1.0)
}

/// A Gaussian-kernel average over the position in the series. The kernel is centred, so the curve
/// does not lag behind, and renormalised where it hangs over an end:
///
/// ```text
/// s_i = Σ_j k(i−j) y_j / Σ_j k(i−j),   k(d) = exp(−d² / 2σ²) for |d| ≤ 3σ
/// ```
pub(super) fn smooth(points: &[Point], sigma: f64) -> Vec<Point> {
    let reach = (3.0 * sigma).ceil() as usize;
    let kernel: Vec<f64> = (0..=reach)
        .map(|distance| (-0.5 * (distance as f64 / sigma).powi(2)).exp())
        .collect();
    let average = |(index, point): (usize, &Point)| {
        let from = index.saturating_sub(reach);
        let window = points
            .iter()
            .enumerate()
            .skip(from)
            .take(index + reach + 1 - from);
        let (sum, mass) = window.fold((0.0, 0.0), |(sum, mass), (other, (_, value))| {
            let weight = kernel[other.abs_diff(index)];
            (sum + weight * value, mass + weight)
        });
        (point.0, sum / mass)
    };
    points.iter().enumerate().map(average).collect()
}

/// At most `2 × buckets` points that draw the same picture: the smallest and the largest of each
/// bucket, in the order they came, so that no spike is lost. The first and the last point stay.
pub(super) fn thin(points: &[Point], buckets: usize) -> Vec<Point> {
    if points.len() <= 2 * buckets {
        return points.to_vec();
    }
    let inner = &points[1..points.len() - 1];
    let size = inner.len().div_ceil(buckets.saturating_sub(1).max(1));
    let mut thinned = vec![points[0]];
    for bucket in inner.chunks(size) {
        let by_value = |a: &usize, b: &usize| bucket[*a].1.total_cmp(&bucket[*b].1);
        let lowest = (0..bucket.len()).min_by(by_value).unwrap_or(0);
        let highest = (0..bucket.len()).max_by(by_value).unwrap_or(0);
        thinned.push(bucket[lowest.min(highest)]);
        if lowest != highest {
            thinned.push(bucket[lowest.max(highest)]);
        }
    }
    thinned.push(points[points.len() - 1]);
    thinned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_smoothed_into_itself_inside_and_a_constant_everywhere() {
        let line: Vec<Point> = (0..50)
            .map(|i| (f64::from(i), 3.0 * f64::from(i)))
            .collect();
        let smoothed = smooth(&line, 2.0);
        assert_eq!(smoothed.len(), 50);
        for index in 6..44 {
            assert!((smoothed[index].1 - line[index].1).abs() < 1e-9);
        }
        let constant = [(0.0, 0.7); 9];
        assert!(
            smooth(&constant, 4.0)
                .iter()
                .all(|p| (p.1 - 0.7).abs() < 1e-12)
        );
    }

    #[test]
    fn three_points_by_hand() {
        // σ = 1: weights 1, e^−½ = 0.60653, e^−2 = 0.13534.
        let smoothed = smooth(&[(0.0, 0.0), (1.0, 1.0), (2.0, 0.0)], 1.0);
        assert!((smoothed[1].1 - 1.0 / (1.0 + 2.0 * 0.606_530_66)).abs() < 1e-8);
        assert!((smoothed[0].1 - 0.606_530_66 / (1.0 + 0.606_530_66 + 0.135_335_28)).abs() < 1e-8);
    }

    #[test]
    fn gaps_separate_stretches() {
        let points = [
            (0.0, f64::NAN),
            (1.0, 1.0),
            (2.0, f64::INFINITY),
            (3.0, 3.0),
            (4.0, 4.0),
        ];
        let found = stretches(&points);
        assert_eq!(found, [&points[1..2], &points[3..5]]);
        assert!(stretches(&[]).is_empty());
    }

    #[test]
    fn thinning_keeps_ends_spikes_and_order() {
        let mut points: Vec<Point> = (0..10_000).map(|i| (f64::from(i), 0.0)).collect();
        points[4_321].1 = 9.0;
        points[8_765].1 = -9.0;
        let thinned = thin(&points, 100);
        assert!(thinned.len() <= 200, "{}", thinned.len());
        assert!(thinned.contains(&points[4_321]) && thinned.contains(&points[8_765]));
        assert_eq!(thinned.first(), points.first());
        assert_eq!(thinned.last(), points.last());
        assert!(thinned.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(thin(&points[..150], 100), &points[..150]);
    }
}
