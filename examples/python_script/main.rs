//! A training script in Python as a trial: twenty-seven configurations under ASHA, paused at its rungs and taken up again.
//!
//! `train.py` is the script: a class with `setup`, `step`, `save` and `load`, and one line, `serve(Net)`. The experiment is here.

use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use tryout::failure::error_chain;
use tryout::prelude::*;

/// After so many epochs a configuration is at its end.
const EPOCHS: u64 = 27;

fn main() -> ExitCode {
    env_logger::init();
    let python = Command::new("python3").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !python.is_ok_and(|status| status.success()) {
        eprintln!("error: there is no `python3` in PATH: this example trains in Python, install 3.9 or newer");
        return ExitCode::FAILURE;
    }
    match tune() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", error_chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn tune() -> Result<(), Box<dyn std::error::Error>> {
    let here = env!("CARGO_MANIFEST_DIR");
    let script = process("python3")
        .arg(format!("{here}/examples/python_script/train.py"))
        // Where `tryout_worker` is; `pip install ./python` does without.
        .env("PYTHONPATH", format!("{here}/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let space = Space::new()
        .with("lr", log_uniform(1e-4, 1.0))
        .with("weight_decay", log_uniform(1e-6, 1e-2))
        .with("hidden", log_int(2, 17));
    let results = Experiment::new("irises", script)
        .space(space)
        .samples(27)
        .seed(1)
        .objective(Objective::min("loss"))
        // Who stands at a rung is saved and waits; only the best third go on, in whichever process is free.
        .scheduler(Asha::new().form(AshaForm::Promotion).max_t(EPOCHS).reduction_factor(3.0))
        .on_ctrl_c(Duration::from_secs(5))
        .run()?;

    if let Some(failed) = results.errors().next() {
        let why = failed.error().map(ToString::to_string).unwrap_or_default();
        return Err(format!("{} of {} trials failed: {why}", results.errors().count(), results.trials().len()).into());
    }
    let best = results.best()?;
    let accuracy = best.last.as_ref().and_then(|last| last.number("accuracy")).unwrap_or(f64::NAN);
    println!("the best recognises {:.1} % of what was held out, after {} epochs", 100.0 * accuracy, best.reported);
    println!("best: {}", best.config);
    let (done, all) = (results.iterations(), EPOCHS * results.trials().len() as u64);
    println!("epochs: {done} instead of {all}, ASHA saved {} %", 100 * (all - done) / all);
    Ok(())
}
