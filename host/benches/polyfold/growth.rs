//! Whether what people wait for stays the same while the log grows: at 100,000, 1,000,000 and 10,000,000 events. Draws a
//! chart of it, host/docs/growth.svg. Takes some minutes, and 2 GB of disk.

use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use plotters::prelude::*;
use polyfold::engine::{AsOf, Engine, Moment, Options, Waiting, event_from_json};
use polyfold::event::{Filter, Sequence};
use polyfold::log::{Append, Query};

use crate::data::{Unwatched, Year, install, open, temporary};
use crate::report::{count, quantile};

const SIZES: [u64; 3] = [100_000, 1_000_000, 10_000_000];

const TIMES: usize = 200;

const PROJECTION: &str = "count-and-sum";

/// What is measured at each size, in milliseconds.
const MEASURES: [&str; 5] = [
    "opening the directory",
    "a durable append",
    "the newest 100 events",
    "a key of count-and-sum",
    "that key as of up to 200 events back",
];

pub(crate) fn run(year: &Year) {
    let dir = temporary();
    let mut medians = Vec::new();
    println!("\n### The same, while the log grows\n");
    println!("| events | entries | log | {} |", MEASURES.join(" | "));
    println!("|---:|---:|---:|{}", "---:|".repeat(MEASURES.len()));
    let mut lines = endless(&year.ndjson);
    for events in SIZES {
        let began = Instant::now();
        let engine = open(&dir);
        grow(&engine, &mut lines, events);
        if engine.projections().is_empty() {
            install(&engine, "count_and_sum");
        }
        engine.start(PROJECTION).unwrap();
        engine.wait(PROJECTION, |_| ()).unwrap();
        let entries = engine.reader(PROJECTION).unwrap().len().unwrap();
        drop(engine);
        let row = measure(dir.path());
        let shown: Vec<String> = row.iter().map(|millis| format!("{millis:.3} ms")).collect();
        let log = std::fs::metadata(dir.path().join("log.redb")).unwrap().len() >> 20;
        println!("| {} | {} | {log} MiB | {} |", count(events as f64), count(entries as f64), shown.join(" | "));
        eprintln!("{events} events: {:.0} s", began.elapsed().as_secs_f64());
        medians.push(row);
    }
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/growth.svg");
    draw(&chart, &medians).unwrap();
    println!("\nThe chart is {}.", chart.display());
}

/// The year over and over, each time under other names and with other aircraft.
fn endless(year: &str) -> impl Iterator<Item = String> + '_ {
    (0..).flat_map(move |round| {
        year.lines().map(move |line| match round {
            0 => line.to_owned(),
            _ => line
                .replace("\"flight/2013", &format!("\"flight/{}", 2013 + round))
                .replace("\"tailnum\":\"", &format!("\"tailnum\":\"{round}")),
        })
    })
}

/// Imports until the log has so many events.
fn grow(engine: &Engine, lines: &mut impl Iterator<Item = String>, events: u64) {
    while engine.head().sequence().0 < events {
        let missing = (events - engine.head().sequence().0).min(500_000) as usize;
        let part = lines.by_ref().take(missing).fold(String::new(), |part, line| part + &line + "\n");
        engine.import_checked(&mut BufReader::new(part.as_bytes()), &mut Unwatched).unwrap();
    }
}

/// Medians, in the order of [`MEASURES`].
fn measure(dir: &Path) -> [f64; MEASURES.len()] {
    let opening = median(11, |_| {
        let began = Instant::now();
        let engine = Engine::open(dir, &Options::default()).unwrap();
        let took = began.elapsed();
        drop(engine);
        took
    });
    let engine = Engine::open(dir, &Options::default()).unwrap();
    engine.start(PROJECTION).unwrap();
    engine.wait(PROJECTION, |_| ()).unwrap();
    let append = median(TIMES, |number| {
        let data = format!(r#"{{"tailnum":"N{number}","air_time":90}}"#);
        let line = format!(r#"{{"stream":"bench/growth-{number}","type":"flight.arrived","data":{data}}}"#);
        let append = Append { events: vec![event_from_json(&line).unwrap()], expectations: Vec::new() };
        let took = timed(|| drop(engine.append(append).unwrap()));
        // So that the state takes them one by one, as it does while events come one by one.
        engine.wait(PROJECTION, |_| ()).unwrap();
        took
    });
    let newest = median(TIMES, |_| {
        timed(|| {
            let reader = engine.log().reader().unwrap();
            let from = Sequence(reader.head().sequence.0 - 99);
            let page = reader.read(&Query { from, to: None, filter: Filter::all() }, 100, usize::MAX).unwrap();
            assert_eq!(page.batch.len(), 100);
        })
    });
    let state = engine.reader(PROJECTION).unwrap();
    let keys: Vec<String> = state.entries().unwrap().map(|entry| entry.unwrap().0).collect();
    let key = median(TIMES, |number| {
        let key = &keys[number * 7_919 % keys.len()];
        timed(|| assert!(engine.reader(PROJECTION).unwrap().get(key).unwrap().is_some()))
    });
    let head = engine.head().sequence().0;
    let past = median(TIMES, |number| {
        let at = Some(Moment::Sequence(Sequence(head - 1 - number as u64)));
        let key = &keys[number * 7_919 % keys.len()];
        let mut waiting = Waiting { stop: Arc::default(), watch: &mut |_| () };
        timed(|| {
            let past = engine.past(PROJECTION, &AsOf { at, ..AsOf::default() }, &mut waiting).unwrap();
            drop(past.get(key).unwrap());
        })
    });
    [opening, append, newest, key, past]
}

fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

fn median(times: usize, mut run: impl FnMut(usize) -> Duration) -> f64 {
    let mut millis: Vec<f64> = (0..times).map(|number| run(number).as_secs_f64() * 1e3).collect();
    quantile(&mut millis, 0.5)
}

fn draw(path: &Path, medians: &[[f64; MEASURES.len()]]) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::new(path, (720, 420)).into_drawing_area();
    area.fill(&WHITE)?;
    let (first, last) = (SIZES[0] as f64 * 0.8, SIZES[SIZES.len() - 1] as f64 * 1.25);
    let mut chart = ChartBuilder::on(&area)
        .caption("median time by events in the log", ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d((first..last).log_scale(), (0.001..1_000.0).log_scale())?;
    chart.configure_mesh().x_desc("events").y_desc("milliseconds").x_label_formatter(&|x| count(*x)).draw()?;
    for (index, name) in MEASURES.iter().enumerate() {
        let colour = Palette99::pick(index).mix(1.0);
        let points: Vec<(f64, f64)> =
            SIZES.iter().zip(medians).map(|(events, row)| (*events as f64, row[index])).collect();
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)).point_size(4))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
    }
    let labels = &mut chart.configure_series_labels();
    labels.position(SeriesLabelPosition::UpperLeft).border_style(BLACK).background_style(WHITE.mix(0.8)).draw()?;
    Ok(area.present()?)
}
