//! The normal distribution.

use std::f64::consts::SQRT_2;

/// How much of a normal distribution lies between two values.
pub(crate) fn mass(from: f64, to: f64, mean: f64, width: f64) -> f64 {
    let (from, to) = ((from - mean) / width / SQRT_2, (to - mean) / width / SQRT_2);
    // On one side of the mean both are close to 1 or -1, and their difference is told by what is missing.
    if from > 0.0 {
        (libm::erfc(from) - libm::erfc(to)) / 2.0
    } else if to < 0.0 {
        (libm::erfc(-to) - libm::erfc(-from)) / 2.0
    } else {
        (libm::erf(to) - libm::erf(from)) / 2.0
    }
}

/// The quantile function of the standard normal distribution, within 1.2e-9 of itself (Acklam's rational approximation).
pub(crate) fn quantile(part: f64) -> f64 {
    const TAIL: f64 = 0.02425;
    let polynomial = |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum: f64, c| sum.mul_add(x, *c));
    if part > 1.0 - TAIL {
        return -quantile(1.0 - part);
    }
    if part < TAIL {
        const TOP: [f64; 6] = [
            -7.784_894_002_430_293e-3,
            -3.223_964_580_411_365e-1,
            -2.400_758_277_161_838,
            -2.549_732_539_343_734,
            4.374_664_141_464_968,
            2.938_163_982_698_783,
        ];
        const BOTTOM: [f64; 5] =
            [7.784_695_709_041_462e-3, 3.224_671_290_700_398e-1, 2.445_134_137_142_996, 3.754_408_661_907_416, 1.0];
        let root = (-2.0 * part.ln()).sqrt();
        return polynomial(&TOP, root) / polynomial(&BOTTOM, root);
    }
    const TOP: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const BOTTOM: [f64; 6] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
        1.0,
    ];
    let away = part - 0.5;
    let square = away * away;
    away * polynomial(&TOP, square) / polynomial(&BOTTOM, square)
}
