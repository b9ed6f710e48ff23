//! The signed-rank test of Wilcoxon: how likely differences as large as these are if there is no difference.

/// Up to so many differences the exact distribution is used, if no two are of one size and none is zero.
const MOST_EXACT: usize = 50;

/// Up to so many otherwise: it has to be counted anew each time.
const MOST_COUNTED: usize = 13;

/// The exact distributions that were needed so far.
#[derive(Clone, Debug, Default)]
pub(super) struct SignedRank {
    /// For each number of differences, from 0: the probability of each sum of positive ranks or a greater one.
    tails: Vec<Vec<f64>>,
    /// In how many ways each sum comes about with the last of those numbers.
    ways: Vec<f64>,
}

impl SignedRank {
    /// The probability of differences as large as these or larger, if positive and negative ones are equally likely.
    ///
    /// Up to 50 differences without zeros and of different sizes it is exact, to rounding, and up to 13 of any; else it
    /// goes by the normal approximation, corrected for equal sizes. The ranks of zeros count half. All must be finite.
    pub(super) fn probability_of_greater(&mut self, differences: &[f64]) -> f64 {
        let Ranks { positive, signed, ties, zeros } = ranks(differences);
        let count = differences.len();
        if ties == 0.0 && zeros == 0 && count <= MOST_EXACT {
            // Without ties all ranks are whole numbers.
            return self.exact(count, positive as usize);
        }
        if count <= MOST_COUNTED {
            return counted(&signed);
        }
        let n = count as f64;
        let mean = n * (n + 1.0) / 4.0;
        let variance = (n * (n + 1.0) * (2.0 * n + 1.0) - ties / 2.0) / 24.0;
        if variance > 0.0 { upper_tail((positive - mean) / variance.sqrt()) } else { 0.5 }
    }

    /// The probability of a sum of `sum` or more of the ranks from 1 to `count`.
    fn exact(&mut self, count: usize, sum: usize) -> f64 {
        if self.tails.is_empty() {
            self.ways = vec![1.0];
            self.tails.push(vec![1.0]);
        }
        while self.tails.len() <= count {
            let rank = self.tails.len();
            // With one rank more, it is in the sum or it isn't. Up to 2^50 ways are exact in a float.
            let mut ways = self.ways.clone();
            ways.resize(self.ways.len() + rank, 0.0);
            for (with, before) in ways.iter_mut().skip(rank).zip(&self.ways) {
                *with += before;
            }
            let all: f64 = ways.iter().sum();
            let mut tail = 0.0;
            let mut tails: Vec<f64> = ways
                .iter()
                .rev()
                .map(|ways| {
                    tail += ways;
                    tail / all
                })
                .collect();
            tails.reverse();
            self.tails.push(tails);
            self.ways = ways;
        }
        self.tails.get(count).and_then(|tails| tails.get(sum)).copied().unwrap_or(0.0)
    }
}

/// What the sizes of differences come to, ranked from the smallest on; equal ones share the mean of their ranks.
struct Ranks {
    /// The sum of the ranks of positive differences, and half of that of zeros.
    positive: f64,
    /// Twice the rank of each difference that isn't zero, which is a whole number, and whether the difference is positive.
    signed: Vec<(usize, bool)>,
    /// The sum of t³ - t over all groups of t equal sizes.
    ties: f64,
    zeros: usize,
}

fn ranks(differences: &[f64]) -> Ranks {
    let mut sorted = differences.to_vec();
    sorted.sort_unstable_by(|a, b| a.abs().total_cmp(&b.abs()));
    let mut found = Ranks { positive: 0.0, signed: Vec::new(), ties: 0.0, zeros: 0 };
    let mut before = 0.0;
    for group in sorted.chunk_by(|a, b| a.abs() == b.abs()) {
        let size = group.len() as f64;
        let rank = before + (size + 1.0) / 2.0;
        before += size;
        found.ties += size * size * size - size;
        for difference in group {
            let share = if *difference > 0.0 {
                1.0
            } else if *difference == 0.0 {
                0.5
            } else {
                0.0
            };
            found.positive += rank * share;
            if *difference == 0.0 {
                found.zeros += 1;
            } else {
                found.signed.push(((2.0 * rank) as usize, *difference > 0.0));
            }
        }
    }
    found
}

/// The probability of a sum of positive ranks as large as this or larger, over all signs that these ranks could have.
fn counted(signed: &[(usize, bool)]) -> f64 {
    let sum: usize = signed.iter().filter(|(_, positive)| *positive).map(|(rank, _)| rank).sum();
    let mut ways = vec![1.0];
    for (rank, _) in signed {
        let mut more = ways.clone();
        more.resize(ways.len() + rank, 0.0);
        more.iter_mut().skip(*rank).zip(&ways).for_each(|(with, before)| *with += before);
        ways = more;
    }
    ways.iter().skip(sum).sum::<f64>() / ways.iter().sum::<f64>()
}

/// The probability of a normal variable to be above `z`.
fn upper_tail(z: f64) -> f64 {
    0.5 * libm::erfc(z / std::f64::consts::SQRT_2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn p(differences: &[f64]) -> f64 {
        SignedRank::default().probability_of_greater(differences)
    }

    /// Differences 1, 2, and so on, of which those whose ranks are given are negative.
    fn ranked(count: i32, negative: &[i32]) -> Vec<f64> {
        (1..=count).map(|rank| f64::from(if negative.contains(&rank) { -rank } else { rank })).collect()
    }

    /// By hand: 2^n signs are equally likely, and so many of them give no larger a sum of negative ranks.
    #[test]
    fn small_numbers() {
        assert_eq!(p(&[]), 1.0);
        assert_eq!(p(&[0.3]), 0.5);
        assert_eq!(p(&[-0.3]), 1.0);
        assert_eq!(p(&ranked(5, &[])), 1.0 / 32.0);
        assert_eq!(p(&ranked(5, &[1])), 2.0 / 32.0);
        assert_eq!(p(&ranked(5, &[1, 2])), 5.0 / 32.0, "no negative rank; 1; 2; 3; 1 and 2");
    }

    /// The critical values of Wilcoxon's table, one-sided: the largest sum of negative ranks that is still significant.
    #[test]
    fn the_published_critical_values() {
        let tables = [
            (
                0.05,
                [(5, 0), (6, 2), (7, 3), (8, 5), (9, 8), (10, 10), (12, 17), (15, 30), (20, 60), (25, 100)].as_slice(),
            ),
            (0.025, &[(6, 0), (7, 2), (8, 3), (9, 5), (10, 8), (12, 13), (15, 25), (20, 52), (25, 89)]),
            (0.01, &[(7, 0), (8, 1), (9, 3), (10, 5), (12, 9), (15, 19), (20, 43), (25, 76)]),
            (0.005, &[(8, 0), (9, 1), (10, 3), (12, 7), (15, 15), (20, 37), (25, 68)]),
        ];
        let mut test = SignedRank::default();
        for (level, values) in tables {
            for (count, critical) in values {
                let sum = count * (count + 1) / 2;
                let (at, above) = (test.exact(*count, sum - critical), test.exact(*count, sum - critical - 1));
                assert!(at <= level && above > level, "{count} at {level}: {at}, {above}");
            }
        }
    }

    #[test]
    fn a_few_zeros_and_ties_are_counted() {
        assert_eq!(p(&[0.0; 7]), 1.0);
        // Ranks 1.5, 1.5 and 3: of the eight sums, 4.5 is reached by 1.5 + 3 twice, and by all.
        assert_eq!(p(&[1.0, -1.0, 2.0]), 3.0 / 8.0);
        assert_eq!(p(&[0.0, 1.0, 1.0]), 1.0 / 4.0);
    }

    #[test]
    fn many_zeros_and_ties_go_by_the_normal_approximation() {
        assert_eq!(p(&[0.0; 14]), 0.5);
        // Ranks 1.5, 1.5 and 3 to 14: the variance is (14 * 15 * 29 - 6 / 2) / 24.
        let mut differences = ranked(14, &[1, 14]);
        differences[1] = 1.0;
        let z = (105.0 - 1.5 - 14.0 - 52.5) / ((6090.0_f64 - 3.0) / 24.0).sqrt();
        assert!((p(&differences) - upper_tail(z)).abs() < 1e-15);
        // Half of the zero's rank.
        let mut differences = ranked(14, &[14]);
        differences[0] = 0.0;
        let z = (105.0 - 0.5 - 14.0 - 52.5) / (6090.0_f64 / 24.0).sqrt();
        assert!((p(&differences) - upper_tail(z)).abs() < 1e-15);
        assert!((upper_tail(1.959_963_984_540_054) - 0.025).abs() < 1e-15, "the normal table");
    }

    #[test]
    fn the_approximation_is_near_where_it_takes_over() {
        for negative in [(1..=15).collect::<Vec<i32>>(), (20..=28).collect(), (10..=40).step_by(2).collect()] {
            let exact = p(&ranked(50, &negative));
            let more = p(&ranked(51, &negative));
            assert!((exact - more).abs() < 0.03, "{exact} and {more}");
        }
    }

    proptest! {
        #[test]
        fn it_counts_signs(count in 1_usize..11, chosen in 0_u32..2048) {
            let negative: Vec<i32> = (1..=count as i32).filter(|rank| chosen >> rank & 1 == 1).collect();
            let sum: i32 = (1..=count as i32).filter(|rank| !negative.contains(rank)).sum();
            let sums = (0_u32..1 << count).map(|signs| (1..=count as i32).filter(|rank| signs >> (rank - 1) & 1 == 1).sum::<i32>());
            let expected = sums.filter(|other| *other >= sum).count() as f64 / f64::from(1_u32 << count);
            prop_assert_eq!(p(&ranked(count as i32, &negative)), expected);
        }

        #[test]
        fn the_other_way_round_is_the_other_side(differences in prop::collection::vec(-9.0..9.0_f64, 1..70)) {
            let turned: Vec<f64> = differences.iter().map(|difference| -difference).collect();
            let both = p(&differences) + p(&turned);
            prop_assert!((1.0 - 1e-9..=1.5).contains(&both), "{}", both);
        }
    }
}
