//! A launcher from one line of text, as a command line has it: `slurm --partition=gpu`, `ray`, `ssh hosts.txt`, `queue.toml`.

use std::path::Path;

use super::{Ray, Slurm, Ssh};
use crate::ports::launcher::Launcher;

/// The launcher that a line names: its kind, and then its own words, which quotes keep together.
///
/// | line | what it is |
/// |---|---|
/// | `slurm [ARGUMENT...]` | Slurm; the arguments are those of `sbatch` |
/// | `ray [ADDRESS] [--python=PATH] [--namespace=NAME] [--strategy=NAME]` | Ray |
/// | `ssh FILE [ARGUMENT...]` | the hosts of a file; the arguments are those of `ssh` |
/// | `FILE.toml` | a [`Template`](super::Template) (feature `cli`) |
///
/// # Errors
/// What is wrong with the line, or with the file that it names.
pub fn launcher(line: &str) -> Result<Box<dyn Launcher>, String> {
    let words = words(line)?;
    let Some((kind, rest)) = words.split_first() else {
        return Err("there is no launcher: `slurm`, `ray`, `ssh FILE` or FILE.toml".to_owned());
    };
    match kind.as_str() {
        "slurm" => Ok(Box::new(Slurm::new().args(rest))),
        "ray" => ray(rest).map(|ray| Box::new(ray) as Box<dyn Launcher>),
        "ssh" => {
            let (file, arguments) = rest.split_first().ok_or("`ssh` needs a file of hosts: `ssh hosts.txt`")?;
            let ssh = Ssh::hosts(Path::new(file)).map_err(|error| error.to_string())?;
            Ok(Box::new(arguments.iter().fold(ssh, Ssh::arg)))
        }
        file if file.ends_with(".toml") => template(file),
        other => Err(format!("`{other}` isn't a launcher: `slurm`, `ray`, `ssh FILE` or FILE.toml")),
    }
}

fn ray(words: &[String]) -> Result<Ray, String> {
    let mut ray = Ray::new();
    for word in words {
        ray = match word.strip_prefix("--").map(|option| option.split_once('=').unwrap_or((option, ""))) {
            None => ray.address(word),
            Some(("python", path)) => ray.python(path),
            Some(("namespace", name)) => ray.namespace(name),
            Some(("strategy", name)) => ray.strategy(name),
            Some((other, _)) => return Err(format!("`--{other}` isn't an option of `ray`")),
        };
    }
    Ok(ray)
}

#[cfg(feature = "cli")]
fn template(file: &str) -> Result<Box<dyn Launcher>, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let template = toml::from_str(&text).map_err(|error| format!("{file}: {error}"))?;
    let launcher = super::CommandLauncher::new(template).map_err(|error| format!("{file}: {error}"))?;
    Ok(Box::new(launcher))
}

#[cfg(not(feature = "cli"))]
fn template(file: &str) -> Result<Box<dyn Launcher>, String> {
    Err(format!("{file}: templates in files need the feature `cli`"))
}

/// The words of a line. Single and double quotes keep spaces; nothing else is special.
fn words(line: &str) -> Result<Vec<String>, String> {
    let (mut all, mut word, mut quote) = (Vec::new(), None::<String>, None::<char>);
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if c == '\'' || c == '"' => {
                word.get_or_insert_default();
                quote = Some(c);
            }
            None if c.is_whitespace() => all.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
    }
    if let Some(open) = quote {
        return Err(format!("a quote isn't closed: {open}"));
    }
    all.extend(word);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_a_launcher() {
        let name = |line| launcher(line).map(|launcher| launcher.name().to_owned());
        assert_eq!(name("slurm --partition=gpu '--comment=two words'"), Ok("Slurm".to_owned()));
        assert_eq!(name("ray 127.0.0.1:6379 --python=/venv/bin/python"), Ok("Ray".to_owned()));
        for (line, why) in [
            ("", "there is no launcher"),
            ("pbs", "`pbs` isn't a launcher"),
            ("ray --x", "`--x` isn't an option of `ray`"),
            ("ssh", "`ssh` needs a file"),
            ("ssh no-such-file", "No such file"),
            ("slurm 'x", "a quote isn't closed"),
            ("no-such-file.toml", "no-such-file.toml: "),
        ] {
            assert!(name(line).is_err_and(|error| error.contains(why)), "{line}");
        }
    }

    #[test]
    fn quotes_keep_words_together() {
        assert_eq!(words(r#" a 'b c'd "" "e'f" "#), Ok(["a", "b cd", "", "e'f"].map(str::to_owned).into()));
    }
}
