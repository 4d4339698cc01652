//! `retention`: what the log keeps, what a run would drop, and the runs.

use clap::Subcommand;

use super::Context;
use super::client::Content;
use super::error::Error;
use super::output::{count, count_of, show, size};
use crate::server::model::{
    Retention, RetentionCounts, RetentionGroup, RetentionPlan, RetentionProgress, RetentionRule, RetentionRun,
};

/// Drop payloads that the policy in polyfold.toml does not keep; envelopes and digests stay, and an archive has the rest.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show what a run would drop now, what that would save, and what keeps it from beginning.
    Plan,
    /// Drop what the policy does not keep: archive it, take a snapshot of every state, write the log without it.
    Run,
    /// Show the policy, and what the runs so far did.
    Status,
}

impl Command {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        match self {
            Self::Plan => plan(context),
            Self::Run => run(context),
            Self::Status => status(context),
        }
    }
}

fn plan(context: &mut Context) -> Result<(), Error> {
    let mut client = context.connect()?;
    let bar = context.output.events_bar("planning", 0);
    let planned = client.look("/retention/plan", |progress| show(&bar, progress));
    bar.finish_and_clear();
    let planned: RetentionPlan = planned?;
    if planned.policy.rules.is_empty() {
        context.output.remark("there is no rule, so everything stays; [retention] in polyfold.toml can say what goes");
    }
    context.output.data(&planned, in_words)
}

fn run(context: &mut Context) -> Result<(), Error> {
    let mut client = context.connect()?;
    let bar = context.output.steps_bar();
    let ran = client.work_on("/retention/run", Content::Nothing, |progress: &RetentionProgress| {
        bar.set_prefix(progress.step.clone());
        bar.set_length(progress.head);
        bar.set_position(progress.sequence);
    });
    bar.finish_and_clear();
    let ran: RetentionRun =
        ran.map_err(|error| error.advised("`polyfold retention status` shows whether it was done"))?;
    context.output.data(&ran, |run| match run.events {
        0 => format!("nothing is to be dropped, up to sequence {}", count(run.cut)),
        _ => done(run),
    })
}

fn done(run: &RetentionRun) -> String {
    let (events, bytes) = (count_of(run.events, "payload"), size(run.payload_bytes));
    let (before, after) = (size(run.file_bytes_before), size(run.file_bytes_after));
    let folded = match run.folded {
        0 => String::new(),
        folded => format!(", of {} only digests are left", count_of(folded, "event")),
    };
    let cut = count(run.cut);
    let critical = format!("{} before, {} after", count(run.critical_before), count(run.critical_after));
    format!(
        "{events} of {bytes} dropped up to sequence {cut}{folded}; the log's file had {before} and has {after}; critical events: {critical}"
    )
}

/// What all runs did, and the last.
pub(super) fn runs(counts: &RetentionCounts) -> String {
    let (payloads, bytes) = (count_of(counts.events_dropped, "payload"), size(counts.payload_bytes_dropped));
    let last = counts.last.as_ref().map_or_else(String::new, |run| format!("; the last, {}: {}", run.at, done(run)));
    format!("{}, {payloads} of {bytes} dropped{last}", count_of(counts.runs, "run"))
}

fn status(context: &mut Context) -> Result<(), Error> {
    let there: Retention = context.connect()?.get("/retention")?;
    context.output.data(&there, |there| {
        let rule = |rule: &RetentionRule| {
            let of = match (&rule.category, &rule.event_type) {
                (Some(category), _) => format!("category {category}"),
                (None, event_type) => format!("type {}", event_type.as_deref().unwrap_or("-")),
            };
            format!("{:<11} {of}: {}", "keeps", rule.keeps)
        };
        let mut lines: Vec<String> = there.policy.rules.iter().map(rule).collect();
        if lines.is_empty() {
            lines.push(format!("{:<11} all", "keeps"));
        }
        let critical = there.policy.critical.join(", ");
        lines.push(format!("{:<11} {}", "critical", if critical.is_empty() { "-" } else { &critical }));
        let when =
            [there.policy.when_events.map(|events| count_of(events, "event")), there.policy.when_bytes.map(size)];
        let when: Vec<String> = when.into_iter().flatten().collect();
        if !when.is_empty() {
            let quiet = there.policy.quiet_seconds;
            lines.push(format!("{:<11} when {} could go, after {quiet} quiet seconds", "by itself", when.join(" or ")));
        }
        lines.push(format!("{:<11} {}", "runs", runs(&there.counts)));
        lines.join("\n")
    })
}

fn in_words(plan: &RetentionPlan) -> String {
    let mut lines = Vec::new();
    if !plan.groups.is_empty() {
        let head = ["category", "type", "would go", "payloads", "kept", "critical"].map(str::to_owned);
        lines.extend(table([head].into_iter().chain(plan.groups.iter().map(row)).collect()));
    }
    let (events, bytes) = (count_of(plan.events, "payload"), size(plan.payload_bytes));
    let critical = match plan.critical {
        0 => String::new(),
        critical => format!("; {} stay because they are critical", count_of(critical, "event")),
    };
    lines.push(format!("{events} of {bytes} would go, up to sequence {}{critical}", count(plan.cut)));
    let (now, then) = (size(plan.file_bytes), size(plan.file_bytes_after));
    lines.push(format!("the log's file has {now} and would have about {then}"));
    let blocked = plan.blocked.iter().map(|it| {
        let identity = it.identity.get(..12).unwrap_or(&it.identity);
        format!(
            "blocked by projection {:?}: its state {identity} is at sequence {} and {}",
            it.projection,
            count(it.sequence),
            it.why
        )
    });
    lines.extend(blocked);
    lines.join("\n")
}

fn row(group: &RetentionGroup) -> [String; 6] {
    let RetentionGroup { category, event_type, events, payload_bytes, kept, critical } = group;
    [category.clone(), event_type.clone(), count(*events), size(*payload_bytes), count(*kept), count(*critical)]
}

/// Columns as wide as what is in them; the two first are names, the others numbers.
fn table(rows: Vec<[String; 6]>) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
            0 | 1 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}
