//! A scheduler and a searcher that write down what they are told, and answer what a test wants.

use tryout::extend::*;

use super::Diary;

type Judge = Box<dyn FnMut(TrialId, &Report, &dyn Cohort) -> Verdict + Send>;

/// Notes `S.` lines; continues unless it is told otherwise.
pub(crate) struct SpyScheduler {
    diary: Diary,
    judge: Judge,
    on_end: Box<dyn FnMut() + Send>,
    pub(crate) buffering: Buffering,
}

impl SpyScheduler {
    pub(crate) fn new(diary: &Diary) -> Self {
        Self::judging(diary, |_, _, _| Verdict::CONTINUE)
    }

    pub(crate) fn judging(
        diary: &Diary,
        judge: impl FnMut(TrialId, &Report, &dyn Cohort) -> Verdict + Send + 'static,
    ) -> Self {
        let buffering = Buffering::Allowed;
        Self { diary: diary.clone(), judge: Box::new(judge), on_end: Box::new(|| {}), buffering }
    }

    /// Called at every end.
    pub(crate) fn at_end(mut self, call: impl FnMut() + Send + 'static) -> Self {
        self.on_end = Box::new(call);
        self
    }
}

fn iteration(report: Option<&Report>) -> String {
    report.map_or_else(|| "without a report".to_owned(), |report| format!("i{}", report.iteration()))
}

impl Scheduler for SpyScheduler {
    fn on_report(&mut self, trial: TrialId, report: &Report, cohort: &dyn Cohort) -> Verdict {
        self.diary.note(format!("S.report {} i{}", trial.number(), report.iteration()));
        (self.judge)(trial, report, cohort)
    }

    fn on_add(&mut self, trial: TrialId, _: &Config) {
        self.diary.note(format!("S.add {}", trial.number()));
    }

    fn on_retry(&mut self, trial: TrialId, _: &dyn Cohort) -> Vec<Directive> {
        self.diary.note(format!("S.retry {}", trial.number()));
        Vec::new()
    }

    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>, _: &dyn Cohort) -> Vec<Directive> {
        self.diary.note(format!("S.end {} {ending:?} {}", trial.number(), iteration(last)));
        (self.on_end)();
        Vec::new()
    }

    fn buffering(&self) -> Buffering {
        self.buffering
    }

    fn name(&self) -> &str {
        "spy scheduler"
    }
}

type Suggest = Box<dyn FnMut(TrialId) -> Result<Suggestion, SearchError> + Send>;

/// Notes `A.` lines.
pub(crate) struct SpySearcher {
    diary: Diary,
    suggest: Suggest,
    pub(crate) objective: Option<Objective>,
    pub(crate) lookahead: usize,
}

impl SpySearcher {
    /// Suggests `n` from 0 to `count` - 1.
    pub(crate) fn counting(diary: &Diary, count: u32) -> Self {
        Self::asking(diary, move |trial| {
            Ok(if trial.number() < count {
                Suggestion::Next(Config::new().with("n", trial.number()))
            } else {
                Suggestion::Exhausted
            })
        })
    }

    pub(crate) fn asking(
        diary: &Diary,
        suggest: impl FnMut(TrialId) -> Result<Suggestion, SearchError> + Send + 'static,
    ) -> Self {
        Self { diary: diary.clone(), suggest: Box::new(suggest), objective: None, lookahead: 1 }
    }
}

impl Searcher for SpySearcher {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        let answer = (self.suggest)(trial);
        let word = match &answer {
            Ok(Suggestion::Next(_)) => "next",
            Ok(Suggestion::Wait) => "wait",
            Ok(Suggestion::Exhausted) => "exhausted",
            Err(_) => "error",
        };
        self.diary.note(format!("A.suggest {} {word}", trial.number()));
        answer
    }

    fn on_report(&mut self, trial: TrialId, report: &Report) {
        self.diary.note(format!("A.report {} i{}", trial.number(), report.iteration()));
    }

    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>) {
        self.diary.note(format!("A.end {} {ending:?} {}", trial.number(), iteration(last)));
    }

    fn objectives(&self) -> &[Objective] {
        self.objective.as_slice()
    }

    fn lookahead(&self) -> usize {
        self.lookahead
    }

    fn name(&self) -> &str {
        "spy searcher"
    }
}
