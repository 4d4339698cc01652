//! The ops that count: sums, quotients and what can be said of floats.

use polyfold_guest::{Error, bail, state};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
pub(crate) struct Sum<'a> {
    key: &'a str,
    int: i128,
    float: f64,
}

/// Fields in canonical order: the kit writes a struct's as they are declared.
#[derive(Serialize, Deserialize)]
struct Sums {
    int: i64,
    count: u64,
    float: f64,
}

pub(crate) fn sum(Sum { key, int, float }: Sum<'_>) -> Result<(), Error> {
    let key = format!("sum/{key}");
    let before: Option<Sums> = state::get(&key)?;
    let Ok(int) = i64::try_from(int + before.as_ref().map_or(0, |sums| i128::from(sums.int))) else {
        bail!("{key} does not fit 64 bits");
    };
    let after = match before {
        Some(sums) => Sums { int, count: sums.count + 1, float: sums.float + float },
        // Not 0.0 + float: that would lose the sign of -0.0.
        None => Sums { int, count: 1, float },
    };
    state::put(&key, &after)
}

#[derive(Deserialize)]
pub(crate) struct Divide<'a> {
    key: &'a str,
    a: i64,
    b: i64,
}

#[derive(Serialize)]
struct Quotient {
    quotient: i128,
    remainder: i128,
}

pub(crate) fn divide(Divide { key, a, b }: Divide<'_>) -> Result<(), Error> {
    if b == 0 {
        bail!("division by zero");
    }
    // In 128 bits, because -2^63 / -1 does not fit 64.
    let (a, b) = (i128::from(a), i128::from(b));
    state::put(&format!("divide/{key}"), &Quotient { quotient: a / b, remainder: a % b })
}

#[derive(Deserialize)]
pub(crate) struct Floats<'a> {
    key: &'a str,
    values: Vec<f64>,
}

/// Fields in canonical order.
#[derive(Serialize)]
struct Facts {
    max: f64,
    min: f64,
    sum: f64,
    mean: f64,
    root: f64,
}

pub(crate) fn floats(Floats { key, values }: Floats<'_>) -> Result<(), Error> {
    let Some((&first, rest)) = values.split_first() else { bail!("no values") };
    let mut facts = Facts { max: first, min: first, sum: first, mean: 0.0, root: first.abs().sqrt() };
    for &value in rest {
        facts.max = greater(facts.max, value);
        facts.min = -greater(-facts.min, -value);
        facts.sum += value;
    }
    facts.mean = facts.sum / values.len() as f64;
    state::put(&format!("floats/{key}"), &facts)
}

/// The greater of two; NaN if one is, and 0.0 rather than -0.0. `f64::max` passes NaN over.
fn greater(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        return f64::NAN;
    }
    if a == b {
        return if a.is_sign_negative() { b } else { a };
    }
    if a > b { a } else { b }
}
