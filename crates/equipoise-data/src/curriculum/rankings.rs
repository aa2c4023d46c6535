//! Choosing k items by several rankings, with a floor for every group.

use serde::{Deserialize, Serialize};

use super::CurriculumError;

/// How good a set of items is in the eyes of several rankings (arXiv:2306.09835 and the literature on
/// multiwinner elections). An item at place r of a ranking of m items, from 1, has m − r points there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoreRule {
    /// Single non-transferable vote: the number of rankings whose first item is in the set.
    Sntv,
    /// Bloc: how many items of the set are among the first k of a ranking, summed over rankings.
    Bloc,
    /// k-Borda: the points of all items of the set, summed over rankings.
    KBorda,
    /// Chamberlin and Courant: the points of the best item of the set, summed over rankings, so that
    /// a set represents many rankings rather than one strongly.
    ChamberlinCourant,
}

/// Rankings of the same items, for choosing k of them.
///
/// With biased rankings, floors for the groups the items belong to can make the choice better by an
/// unbiased measure, and rules that look at whole rankings need far fewer of them than
/// [`ScoreRule::Sntv`] does (arXiv:2306.09835).
///
/// ```
/// use equipoise_data::curriculum::{Rankings, ScoreRule};
///
/// // Items 0 and 1 are of one group, 2 and 3 of another; two judges favour the first.
/// let rankings = Rankings::new(vec![vec![0, 1, 2, 3], vec![0, 1, 2, 3], vec![2, 0, 1, 3]])?;
/// let free = rankings.choose(2, ScoreRule::Bloc, &[0, 0, 1, 1], &[0, 0])?;
/// assert_eq!((free.chosen, free.score), (vec![0, 1], 5)); // 2 + 2 + 1
/// let fair = rankings.choose(2, ScoreRule::Bloc, &[0, 0, 1, 1], &[1, 1])?;
/// assert_eq!((fair.chosen, fair.score), (vec![0, 2], 4)); // 1 + 1 + 2
/// # Ok::<(), equipoise_data::curriculum::CurriculumError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rankings {
    /// For each ranking the points of every item.
    points: Vec<Vec<u64>>,
}

/// What was chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// The items, ascending.
    pub chosen: Vec<usize>,
    /// Their score by the rule.
    pub score: u64,
}

impl Rankings {
    /// Rankings, each a list of all items from the best to the worst.
    ///
    /// # Errors
    /// [`CurriculumError::TooFew`] without a ranking, and [`CurriculumError::NotARanking`] for one
    /// that does not name each of the items, counted from 0, exactly once.
    pub fn new(rankings: Vec<Vec<usize>>) -> Result<Self, CurriculumError> {
        let Some(items) = rankings.first().map(Vec::len) else {
            return Err(CurriculumError::TooFew {
                what: "rankings",
                found: 0,
                needed: 1,
            });
        };
        let mut points = Vec::with_capacity(rankings.len());
        for (ranking, order) in rankings.iter().enumerate() {
            let mut given: Vec<Option<u64>> = vec![None; items];
            for (place, &item) in order.iter().enumerate() {
                if let Some(slot) = given.get_mut(item) {
                    *slot = Some((items - 1).saturating_sub(place) as u64);
                }
            }
            let complete: Option<Vec<u64>> = given.into_iter().collect();
            match complete {
                Some(complete) if order.len() == items => points.push(complete),
                _ => return Err(CurriculumError::NotARanking { ranking, items }),
            }
        }
        Ok(Self { points })
    }

    fn items(&self) -> usize {
        self.points.first().map_or(0, Vec::len)
    }

    /// The score of a set of items by a rule, where k is the set's size.
    ///
    /// # Errors
    /// [`CurriculumError::OutOfRange`] for an item that does not exist.
    pub fn score(&self, rule: ScoreRule, set: &[usize]) -> Result<u64, CurriculumError> {
        let items = self.items();
        if let Some(&index) = set.iter().find(|&&item| item >= items) {
            return Err(CurriculumError::OutOfRange {
                what: "item",
                index,
                count: items,
            });
        }
        Ok(match rule {
            ScoreRule::ChamberlinCourant => {
                let best = |points: &Vec<u64>| set.iter().map(|&item| points[item]).max();
                self.points.iter().filter_map(best).sum()
            }
            _ => {
                let each = self.separable(rule, set.len());
                set.iter().map(|&item| each[item]).sum()
            }
        })
    }

    /// What every item adds to the score of a set of k, for the rules in which that does not depend
    /// on the other items.
    fn separable(&self, rule: ScoreRule, k: usize) -> Vec<u64> {
        let items = self.items() as u64;
        let worth = |points: u64| match rule {
            ScoreRule::Sntv => u64::from(points + 1 == items),
            ScoreRule::Bloc => u64::from(points + k as u64 >= items),
            ScoreRule::KBorda | ScoreRule::ChamberlinCourant => points,
        };
        let sum = |item: usize| self.points.iter().map(|points| worth(points[item])).sum();
        (0..self.items()).map(sum).collect()
    }

    /// The k items with the largest score among the sets with at least `floors[g]` items of every
    /// group g; `groups` says to which group each item belongs. Of equal items the first is taken.
    ///
    /// For [`ScoreRule::ChamberlinCourant`], which is hard to maximise, items are added one by one,
    /// each time the one that adds most among those that leave room for the floors: at least half of
    /// the largest score, and 1 − 1/e of it without floors, since the score is submodular. The other
    /// rules are maximised exactly.
    ///
    /// # Errors
    /// [`CurriculumError::LengthMismatch`] unless every item has a group,
    /// [`CurriculumError::OutOfRange`] for a group without a floor, and
    /// [`CurriculumError::Infeasible`] if k is larger than the number of items, or the floors larger
    /// than k or than a group.
    pub fn choose(
        &self,
        k: usize,
        rule: ScoreRule,
        groups: &[usize],
        floors: &[usize],
    ) -> Result<Selection, CurriculumError> {
        self.check_floors(k, groups, floors)?;
        let mut missing = floors.to_vec();
        let mut chosen: Vec<usize> = Vec::with_capacity(k);
        let mut open: Vec<usize> = (0..self.items()).collect();
        let separable = self.separable(rule, k);
        // The points of the best item so far in every ranking.
        let mut best = vec![0; self.points.len()];
        while chosen.len() < k {
            let reserved: usize = missing.iter().sum();
            let free = k - chosen.len() > reserved;
            let gain = |item: usize| match rule {
                ScoreRule::ChamberlinCourant => {
                    let pairs = self.points.iter().zip(&best);
                    pairs
                        .map(|(points, best)| points[item].saturating_sub(*best))
                        .sum()
                }
                _ => separable[item],
            };
            let allowed = open
                .iter()
                .filter(|&&item| free || missing[groups[item]] > 0);
            let Some(&item) = allowed.max_by_key(|&&item| (gain(item), std::cmp::Reverse(item)))
            else {
                break;
            };
            for (best, points) in best.iter_mut().zip(&self.points) {
                *best = points[item].max(*best);
            }
            missing[groups[item]] = missing[groups[item]].saturating_sub(1);
            open.retain(|&other| other != item);
            chosen.push(item);
        }
        chosen.sort_unstable();
        let score = self.score(rule, &chosen)?;
        Ok(Selection { chosen, score })
    }

    fn check_floors(
        &self,
        k: usize,
        groups: &[usize],
        floors: &[usize],
    ) -> Result<(), CurriculumError> {
        let items = self.items();
        if groups.len() != items {
            return Err(CurriculumError::LengthMismatch {
                what: "items",
                expected: items,
                other: "groups of items",
                found: groups.len(),
            });
        }
        let mut sizes = vec![0; floors.len()];
        for &group in groups {
            match sizes.get_mut(group) {
                Some(size) => *size += 1,
                None => {
                    return Err(CurriculumError::OutOfRange {
                        what: "floor for group",
                        index: group,
                        count: floors.len(),
                    });
                }
            }
        }
        let infeasible = |what, asked: usize, available: usize| match asked > available {
            true => Err(CurriculumError::Infeasible {
                what,
                asked,
                available,
            }),
            false => Ok(()),
        };
        infeasible("the choices", k, items)?;
        let total = floors
            .iter()
            .fold(0_usize, |sum, floor| sum.saturating_add(*floor));
        infeasible("the floors", total, k)?;
        let mut pairs = floors.iter().zip(&sizes);
        pairs.try_for_each(|(&floor, &size)| infeasible("the floor of a group", floor, size))
    }
}
