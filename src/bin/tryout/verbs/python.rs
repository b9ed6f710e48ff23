//! The worker's end in Python comes with this program: nothing has to be installed for a worker in Python.

use std::path::{Path, PathBuf};

use tryout::ExperimentFile;

use super::Problem;

const MODULE: &str = include_str!("../../../../python/tryout_worker.py");

/// The same file; if its worker is a Python, that finds `tryout_worker` below the directory of the runs.
pub(crate) fn supplied(file: ExperimentFile, runs: &Path) -> Result<ExperimentFile, Problem> {
    let is_python =
        |program: &str| Path::new(program).file_name().is_some_and(|name| name.to_string_lossy().starts_with("python"));
    if !file.worker().is_some_and(is_python) {
        return Ok(file);
    }
    let folder = written(runs).map_err(|error| {
        Problem::Failed(format!("`tryout_worker.py` can't be written below `{}`: {error}", runs.display()))
    })?;
    // What the file or the environment says goes before it.
    let path = match std::env::var("PYTHONPATH") {
        Ok(path) if !path.is_empty() => format!("{path}:{}", folder.display()),
        _ => folder.display().to_string(),
    };
    Ok(file.env("PYTHONPATH", path))
}

/// The module's folder. It is written anew only if it isn't what it should be, and then in one step.
fn written(runs: &Path) -> std::io::Result<PathBuf> {
    let folder = std::path::absolute(runs.join(".tryout/python"))?;
    let path = folder.join("tryout_worker.py");
    if std::fs::read_to_string(&path).is_ok_and(|text| text == MODULE) {
        return Ok(folder);
    }
    std::fs::create_dir_all(&folder)?;
    let draft = folder.join(format!("tryout_worker.{}.draft", std::process::id()));
    std::fs::write(&draft, MODULE)?;
    std::fs::rename(&draft, &path)?;
    Ok(folder)
}
