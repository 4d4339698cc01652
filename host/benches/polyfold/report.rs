//! Rounds, medians and Markdown.

use std::time::{Duration, Instant};

/// One way to do the work, and what it does: anything that returns how much it did.
pub(crate) struct Contestant<'a> {
    pub(crate) name: String,
    run: Box<dyn FnMut() -> Lap + 'a>,
}

/// So many things in so long.
pub(crate) struct Lap {
    pub(crate) count: usize,
    pub(crate) took: Duration,
}

impl Lap {
    pub(crate) fn of(count: usize, work: impl FnOnce()) -> Self {
        let began = Instant::now();
        work();
        Self { count, took: began.elapsed() }
    }
}

impl<'a> Contestant<'a> {
    pub(crate) fn new(name: impl Into<String>, run: impl FnMut() -> Lap + 'a) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }
}

/// Lets all take turns, once unmeasured; prints each one's median rate, and its ratio to the first one's.
pub(crate) fn compare(title: &str, unit: &str, rounds: usize, mut contestants: Vec<Contestant<'_>>) -> Vec<f64> {
    let mut rates = vec![Vec::new(); contestants.len()];
    for round in 0..=rounds {
        for (contestant, rates) in contestants.iter_mut().zip(&mut rates) {
            let lap = (contestant.run)();
            if round > 0 {
                rates.push(lap.count as f64 / lap.took.as_secs_f64());
            }
        }
    }
    println!("\n### {title}\n\n| | {unit}/s | from | to | ratio |\n|---|---:|---:|---:|---:|");
    let medians: Vec<f64> = rates.iter_mut().map(|rates| quantile(rates, 0.5)).collect();
    for ((contestant, rates), median) in contestants.iter().zip(&rates).zip(&medians) {
        let (low, high) = (rates[0], rates[rates.len() - 1]);
        let ratio = median / medians[0];
        println!("| {} | {} | {} | {} | {ratio:.2} |", contestant.name, count(*median), count(low), count(high));
    }
    medians
}

/// Sorts and takes the value at that share.
pub(crate) fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}

/// Three digits count: `1,230,000`.
pub(crate) fn count(number: f64) -> String {
    let step = 10f64.powi((number.max(1.0).log10().floor() as i32 - 2).max(0));
    let digits = format!("{:.0}", (number / step).round() * step);
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A size in binary units, to a tenth.
pub(crate) fn size(bytes: u64) -> String {
    let kib = bytes as f64 / 1024.0;
    if kib < 1024.0 { format!("{kib:.1} KiB") } else { format!("{:.1} MiB", kib / 1024.0) }
}

/// Runs something several times and says how long it took, in milliseconds: median, least and most.
pub(crate) fn millis(times: usize, mut run: impl FnMut() -> Duration) -> String {
    let mut millis: Vec<f64> = (0..times).map(|_| run().as_secs_f64() * 1e3).collect();
    let median = quantile(&mut millis, 0.5);
    format!("{median:.1} ms ({:.1} to {:.1})", millis[0], millis[millis.len() - 1])
}
