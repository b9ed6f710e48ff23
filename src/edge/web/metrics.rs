//! `GET metrics`: numbers of all runs, for Prometheus.

use std::fmt::{Display, Write};

use actix_web::HttpResponse;

use super::asked::Asked;
use super::error::Answered;
use super::model::Summary;
use super::views::{RunList, aside};

/// `GET metrics`.
pub(super) async fn metrics(asked: Asked) -> Answered<HttpResponse> {
    let runs = asked.page.runs().clone();
    let list = aside(move || Ok(RunList::look(&runs))).await?;
    let mut text = Text::default();
    of_runs(&mut text, &list.runs);
    let here = [("listeners", asked.page.listeners().now()), ("waiting_requests", asked.page.waiting().now())];
    for (name, count) in here {
        let name = format!("tryout_page_{name}");
        text.family(&name, "gauge", "How many the page's server has at this moment.");
        text.value(&name, &[], count);
    }
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text.0))
}

fn of_runs(text: &mut Text, runs: &[Summary]) {
    text.family("tryout_run_info", "gauge", "A run and its state; always 1.");
    for run in runs {
        let state = serde_json::to_value(run.state).ok();
        let state = state.as_ref().and_then(|state| state.as_str()).unwrap_or_default();
        text.value("tryout_run_info", &[("run", &run.run), ("name", &run.name), ("state", state)], 1);
    }
    text.family("tryout_trials", "gauge", "How many trials have each status.");
    for run in runs {
        let counts = &run.counts;
        for (status, count) in [
            ("PENDING", counts.pending),
            ("RUNNING", counts.running),
            ("PAUSED", counts.paused),
            ("TERMINATED", counts.terminated),
            ("ERROR", counts.error),
        ] {
            text.value("tryout_trials", &[("run", &run.run), ("status", status)], count);
        }
    }
    let numbers: [(&str, &str, &str, Number); 5] = [
        ("tryout_run_iterations_total", "counter", "Iterations of all trials.", |run| Some(run.iterations as f64)),
        ("tryout_run_expected_trials", "gauge", "How many trials there will be.", |run| run.total.map(|n| n as f64)),
        ("tryout_run_start_time_seconds", "gauge", "When the run began, in seconds since 1970.", |run| Some(run.began)),
        ("tryout_run_elapsed_seconds", "gauge", "How long the run has taken.", |run| Some(run.elapsed)),
        ("tryout_run_best_value", "gauge", "The best value of the objective.", |run| run.best.map(|best| best.value)),
    ];
    for (name, kind, help, number) in numbers {
        text.family(name, kind, help);
        for run in runs {
            if let Some(value) = number(run) {
                text.value(name, &[("run", &run.run)], value);
            }
        }
    }
}

type Number = fn(&Summary) -> Option<f64>;

#[derive(Default)]
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a text doesn't fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }
}

/// A label's value: somebody else wrote it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
