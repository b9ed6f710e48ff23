//! Pictures: each is one SVG document that a reader of XML accepts, small however many trials there are, and says what it lacks.

use tryout::plot::{Picture, PictureError, View};
use tryout::prelude::*;

/// The elements of an XML document, as `name` and the text that stands directly in it; or where it isn't well formed.
fn elements(text: &str) -> Result<Vec<(String, String)>, String> {
    let (mut open, mut found): (Vec<usize>, Vec<(String, String)>) = (Vec::new(), Vec::new());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        if let Some(last) = open.last() {
            found[*last].1 += &unescaped(before)?;
        }
        let end = tag.find('>').ok_or("a tag without an end")?;
        let inside = &tag[1..end];
        rest = &tag[end + 1..];
        if inside.contains('<') || inside.matches('"').count() % 2 != 0 {
            return Err(format!("not a tag: {inside}"));
        }
        match inside.strip_prefix('/') {
            Some(name) => {
                let last = open.pop().ok_or("an end without a beginning")?;
                if found[last].0 != name {
                    return Err(format!("`{}` ends as `{name}`", found[last].0));
                }
            }
            None => {
                let name = inside.split([' ', '/']).next().unwrap_or_default();
                found.push((name.to_owned(), String::new()));
                if !inside.ends_with('/') {
                    open.push(found.len() - 1);
                }
            }
        }
    }
    if open.is_empty() && rest.trim().is_empty() { Ok(found) } else { Err("elements that aren't closed".to_owned()) }
}

fn unescaped(text: &str) -> Result<String, String> {
    let control = |letter: char| letter.is_control() && letter != '\n';
    if text.contains(control) {
        return Err(format!("a character that XML doesn't have: {text:?}"));
    }
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, after) = part.split_once(';').ok_or_else(|| format!("an & alone: {text}"))?;
        plain.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            _ => return Err(format!("&{name};")),
        });
        plain += after;
    }
    Ok(plain)
}

/// The texts of a picture, which is well formed and holds nothing but shapes and texts.
fn texts(picture: &Picture) -> Vec<String> {
    let all = elements(&picture.to_svg()).unwrap();
    assert_eq!(all.first().map(|(name, _)| name.as_str()), Some("svg"));
    let known = ["svg", "title", "rect", "g", "path", "circle", "text"];
    assert!(all.iter().all(|(name, _)| known.contains(&name.as_str())), "{picture:?}");
    all.into_iter().filter(|(name, _)| name == "text").map(|(_, text)| text).collect()
}

fn says(picture: &Picture, words: &str) -> bool {
    texts(picture).join(" ").contains(words)
}

/// Is better the nearer `x` is to 0.3, and later; reports nine times.
fn near(config: Config, trial: &mut Session) -> Result<(), TrialError> {
    let x: f64 = config.get("x")?;
    for iteration in 1..=9 {
        trial.report([("loss", (x - 0.3).powi(2) + 1.0 / f64::from(iteration))])?;
    }
    Ok(())
}

fn space() -> Space {
    let more =
        choice([Space::new().with("kind", "a").with("inner", uniform(0.0, 1.0)), Space::new().with("kind", "b")]);
    Space::new().with("x", uniform(0.0, 1.0)).with("rate", log_uniform(1e-5, 1e-1)).with("more", more).with("same", 1)
}

#[test]
fn each_view_shows_its_run() {
    let experiment = Experiment::new("near", function("near", near)).space(space()).samples(60).seed(5);
    let asha = Asha::new().max_t(9).reduction_factor(3.0);
    let results = experiment.objective(Objective::min("loss")).scheduler(asha).run().unwrap();
    for view in View::ALL {
        let picture = results.plot(view);
        assert!(
            picture.title().starts_with("near: ") && picture.title().ends_with(", 60 trials"),
            "{}",
            picture.title()
        );
        assert_eq!(texts(&picture)[0], picture.title());
        let png = picture.to_png(1.0).unwrap();
        assert!(png.starts_with(b"\x89PNG\r\n") && png.len() > 4_000, "{view}: {} bytes", png.len());
    }
    let best = results.best().unwrap().id.number();
    assert!(says(&results.plot(View::History), &format!("by trial {best}")));
    let circles = results.plot(View::History).to_svg().matches("<circle").count();
    assert_eq!(circles, 60 + 3, "one for each trial, one for the best, two in the legend");
    let parallel = texts(&results.plot(View::Parallel));
    for name in ["x", "rate", "more", "more/inner", "loss", "not set", "0.001"] {
        assert!(parallel.iter().any(|text| text == name), "{name} isn't in {parallel:?}");
    }
    assert!(!parallel.contains(&"same".to_owned()), "what is the same everywhere has no axis");
    let found = results.importance().unwrap();
    let share = format!("{:.1} %", found.values[0].share * 100.0);
    assert!(texts(&results.plot(View::Importance)).contains(&share), "{share}");
    let first = results.trials().iter().filter(|trial| trial.reported > 1).count();
    let rungs = texts(&results.plot(View::Rungs));
    assert!(rungs.contains(&format!("{first} of 60 went on")), "{rungs:?}");
}

#[test]
fn where_there_is_nothing_the_picture_says_why() {
    let silent = function("silent", |_: Config, trial: &mut Session| Ok(trial.report([("other", 1.0)])?));
    let silent = Experiment::new("silent", silent).points([Config::new().with("x", 1), Config::new().with("x", 2)]);
    let results = silent.run().unwrap();
    let without = results.plot(View::History);
    assert!(says(&without, "give the experiment an objective"), "{:?}", texts(&without));
    let loss = Objective::min("loss");
    for view in View::ALL.into_iter().filter(|view| *view != View::Importance) {
        let picture = results.plot_by(view, &loss);
        assert!(
            says(&picture, "no trial has reported a finite loss yet; reported were other"),
            "{:?}",
            texts(&picture)
        );
    }
    assert!(says(&results.plot_by(View::Importance, &loss), "10 trials or more: 0 reported a finite `loss`"));
    let other = Objective::min("other");
    assert!(says(&results.plot_by(View::Rungs, &other), "there are no rungs to show"));
    let same = results.plot_by(View::Importance, &other);
    assert!(says(&same, "10 trials or more: 2 reported"), "{:?}", texts(&same));
}

#[test]
fn what_is_hostile_stays_text() {
    let name = "</text><script>alert('1')</script>&amp;\u{1b}[2J\u{202e}\u{0}";
    let metric = "a\"<b>&\u{ffff}";
    let odd = [f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, 0.0, -0.0, f64::NAN, f64::INFINITY, 1.0, 2.0, 3.0, 1e300];
    let report = move |config: Config, trial: &mut Session| {
        let n: usize = config.get("n")?;
        Ok(trial.report([(metric, odd[n % odd.len()])])?)
    };
    let configs = (0..60).map(|n| {
        let value = ["<i>", "\u{7}", "日本語 & more of what is far too long to be written on an axis", ""][n % 4];
        Config::new().with("n", n).with(name, value).with("huge", odd[n % 6])
    });
    let experiment = Experiment::new("odd", function("odd", report)).points(configs);
    let results = experiment.objective(Objective::max(metric)).run().unwrap();
    for view in View::ALL {
        let picture = results.plot(view);
        let svg = picture.to_svg();
        assert!(!svg.contains("<script") && !svg.contains("NaN") && !svg.contains("inf"), "{view}");
        texts(&picture);
        picture.to_png(1.0).unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let picture = results.plot(View::History);
    let wrong = picture.write(dir.path().join("history.pdf")).unwrap_err();
    assert!(wrong.to_string().ends_with("it must end in `.svg` or `.png`"), "{wrong}");
    for scale in [0.0, 1e6, f32::NAN, -1.0] {
        assert!(matches!(picture.to_png(scale), Err(PictureError::Size { .. })), "{scale}");
    }
}

#[test]
fn a_picture_of_many_trials_stays_small() {
    let one =
        function("one", |config: Config, trial: &mut Session| Ok(trial.report([("loss", config.get::<f64>("x")?)])?));
    let many = Experiment::new("many", one).space(space()).samples(8_000).seed(1).objective(Objective::min("loss"));
    let results = many.run().unwrap();
    for view in [View::History, View::Curves, View::Parallel, View::Slice] {
        let picture = results.plot(view);
        let svg = picture.to_svg();
        assert!(says(&picture, "drawn are the best 2,000 and 3,000 others"), "{:?}", texts(&picture));
        assert!(svg.len() < 2_000_000, "{view}: {} bytes", svg.len());
    }
    let circles = results.plot(View::History).to_svg().matches("<circle").count();
    assert_eq!(circles, 5_000 + 2);
}
