# A walk down a slope: with too small a rate it is slow, with too large a one it leaves.
BEGIN {
    x = 8
    for (step = 1; step <= 5; step++) {
        x -= rate * (2 * x + push * sin(x))
        printf "step %d: loss %g\n", step, x * x
    }
}
