//! Families of metrics whose values are looked up when they are asked for.

use std::collections::BTreeMap;

use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};

use crate::engine;

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Only ever grows.
    Counter,
    Gauge,
}

/// Families by name.
#[derive(Default)]
pub(super) struct Families(BTreeMap<String, MetricFamily>);

impl Families {
    pub(super) fn one(&mut self, name: &str, help: &str, kind: Kind, value: f64) {
        self.put(name, help, kind, &[], value);
    }

    pub(super) fn put(&mut self, name: &str, help: &str, kind: Kind, labels: &[(&str, &str)], value: f64) {
        let mut metric = labelled(labels);
        match kind {
            Kind::Counter => {
                let mut counter = Counter::default();
                counter.set_value(value);
                metric.set_counter(counter);
            }
            Kind::Gauge => {
                let mut gauge = Gauge::default();
                gauge.set_value(value);
                metric.set_gauge(gauge);
            }
        }
        let kind = match kind {
            Kind::Counter => MetricType::COUNTER,
            Kind::Gauge => MetricType::GAUGE,
        };
        self.family(name, help, kind).mut_metric().push(metric);
    }

    pub(super) fn histogram(&mut self, name: &str, help: &str, counted: &engine::Histogram) {
        let mut below = 0;
        let cumulative = counted.bounds.iter().zip(&counted.counts).map(|(bound, count)| {
            below += count;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(*bound);
            bucket.set_cumulative_count(below);
            bucket
        });
        let mut histogram = Histogram::default();
        histogram.set_bucket(cumulative.collect());
        // The encoder adds the last bucket, which has no bound.
        histogram.set_sample_count(counted.counts.iter().sum());
        histogram.set_sample_sum(counted.sum);
        let mut metric = Metric::default();
        metric.set_histogram(histogram);
        self.family(name, help, MetricType::HISTOGRAM).mut_metric().push(metric);
    }

    fn family(&mut self, name: &str, help: &str, kind: MetricType) -> &mut MetricFamily {
        self.0.entry(name.to_owned()).or_insert_with(|| {
            let mut family = MetricFamily::default();
            family.set_name(name.to_owned());
            family.set_help(help.to_owned());
            family.set_field_type(kind);
            family
        })
    }

    pub(super) fn done(self) -> Vec<MetricFamily> {
        self.0.into_values().collect()
    }
}

fn labelled(labels: &[(&str, &str)]) -> Metric {
    let label = |(name, value): &(&str, &str)| {
        let mut label = LabelPair::default();
        label.set_name((*name).to_owned());
        label.set_value((*value).to_owned());
        label
    };
    Metric::from_label(labels.iter().map(label).collect())
}

#[cfg(test)]
mod tests {
    use prometheus::{Encoder as _, TextEncoder};

    use super::*;

    #[test]
    fn families_are_written_as_prometheus_reads_them() {
        let mut families = Families::default();
        families.put("b_total", "All.", Kind::Counter, &[("name", "a \"b\"\n")], 2.0);
        families.one("a", "One.", Kind::Gauge, 0.5);
        families.put("b_total", "All.", Kind::Counter, &[("name", "c")], 3.0);
        let counted = engine::Histogram { bounds: &[1.0, 2.5], counts: vec![3, 1, 2], sum: 12.5 };
        families.histogram("c_seconds", "Time.", &counted);
        let mut text = Vec::new();
        TextEncoder::new().encode(&families.done(), &mut text).unwrap();
        expect_test::expect![[r#"
            # HELP a One.
            # TYPE a gauge
            a 0.5
            # HELP b_total All.
            # TYPE b_total counter
            b_total{name="a \"b\"\n"} 2
            b_total{name="c"} 3
            # HELP c_seconds Time.
            # TYPE c_seconds histogram
            c_seconds_bucket{le="1"} 3
            c_seconds_bucket{le="2.5"} 4
            c_seconds_bucket{le="+Inf"} 6
            c_seconds_sum 12.5
            c_seconds_count 6
        "#]]
        .assert_eq(&String::from_utf8(text).unwrap());
    }
}
