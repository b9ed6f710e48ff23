//! The README's snippet: a closure, a space, the best of it.

use tryout::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let parabola = function("parabola", |config: Config, trial| {
        let x = config.get::<f64>("x")?;
        for step in 1..=10 {
            trial.report([("loss", (x - 3.0).powi(2) + 1.0 / f64::from(step))])?;
        }
        Ok(())
    });
    let results = Experiment::new("parabola", parabola)
        .space(Space::new().with("x", uniform(-10.0, 10.0)))
        .samples(20)
        .seed(1)
        .objective(Objective::min("loss"))
        .run()?;
    println!("best: {}", results.best()?.config);
    Ok(())
}
