//! Progress of a generation in the terminal: a bar where there is a terminal, plain lines elsewhere.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use shared::{db::variants::VariantRow, names::ProjectName, plan::Plan, stage::Stage};

/// Shows one generation.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    started: Instant,
    stage_started: Instant,
    last: Option<(Stage, i32)>,
}

impl Progress {
    /// Begins.
    pub(crate) fn start(name: &ProjectName) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {msg} {wide_bar} {pos}/{len} {elapsed}");
            let bar = ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_message(name.to_string());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { bar, started: Instant::now(), stage_started: Instant::now(), last: None }
    }

    /// Shows how far it is; says so only when it changed.
    pub(crate) fn show(&mut self, row: &VariantRow) {
        let Some(stage) = row.current_stage else { return };
        let now = (stage, row.page_count);
        if self.last == Some(now) {
            return;
        }
        if let Some((before, _)) = self.last.filter(|(before, _)| *before != stage) {
            self.line(&format!("{before:<18} {:>7.2} s", self.stage_started.elapsed().as_secs_f64()));
            self.stage_started = Instant::now();
        }
        self.last = Some(now);
        let planned = row.plan_json.as_deref().and_then(|json| serde_json::from_str::<Plan>(json).ok());
        let total = planned.map_or(0, |plan| plan.pages().count());
        if let Some(bar) = &self.bar {
            bar.set_length(total as u64);
            bar.set_position(u64::try_from(row.page_count).unwrap_or_default());
            bar.set_message(stage.to_string());
        } else if stage == Stage::GeneratingPages && row.page_count > 0 {
            eprintln!("{stage}: page {} of {total}", row.page_count);
        } else {
            eprintln!("{stage}");
        }
    }

    /// It is ready.
    pub(crate) fn finish(self, row: &VariantRow) {
        if let Some((stage, _)) = self.last {
            self.line(&format!("{stage:<18} {:>7.2} s", self.stage_started.elapsed().as_secs_f64()));
        }
        let seconds = self.started.elapsed().as_secs_f64();
        self.line(&format!("{} pages in {seconds:.2} s", row.page_count));
        self.clear();
    }

    /// It failed; the error is said elsewhere.
    pub(crate) fn fail(self) {
        self.clear();
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => eprintln!("{text}"),
        }
    }

    fn clear(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
