//! Tells whether bytes are canonical already, without taking them apart: most are, and need no second form.

use super::DEPTH_MAX;

/// Whether `bytes` are one item in the form that [`super::canonical`] writes. What is rare is not looked into: `false`
/// only means that it must be decoded and written anew.
pub(super) fn is_canonical(bytes: &[u8]) -> bool {
    let mut rest = Rest(bytes);
    rest.item(DEPTH_MAX).is_some() && rest.0.is_empty()
}

/// What is not read yet. `None` means not certainly canonical.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn item(&mut self, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        let first = self.take(1)?[0];
        if first >> 5 == 7 {
            return self.simple(first);
        }
        let length = self.number(first & 31)?;
        match first >> 5 {
            0 | 1 => Some(()),
            2 => self.take(usize::try_from(length).ok()?).map(drop),
            3 => std::str::from_utf8(self.take(usize::try_from(length).ok()?)?).ok().map(drop),
            4 => (0..length).try_for_each(|_| self.item(depth)),
            5 => self.map(length, depth),
            // Tags have forms of their own.
            _ => None,
        }
    }

    /// Keys must rise in bytewise order.
    fn map(&mut self, entries: u64, depth: usize) -> Option<()> {
        let mut last: &[u8] = &[];
        for _ in 0..entries {
            let before = self.0;
            self.item(depth)?;
            let key = &before[..before.len() - self.0.len()];
            // No key is empty, so the first is above the beginning.
            if key <= last {
                return None;
            }
            last = key;
            self.item(depth)?;
        }
        Some(())
    }

    fn simple(&mut self, first: u8) -> Option<()> {
        match first {
            // False, true and null.
            0xf4..=0xf6 => Some(()),
            0xf9 => {
                let bits = u16::from_be_bytes(self.array()?);
                let is_nan = bits & 0x7c00 == 0x7c00 && bits & 0x3ff != 0;
                (!is_nan || bits == 0x7e00).then_some(())
            }
            0xfa => {
                // Half precision has 13 bits less.
                let number = f32::from_be_bytes(self.array()?);
                (number.is_finite() && number.to_bits() & 0x1fff != 0).then_some(())
            }
            0xfb => {
                let number = f64::from_be_bytes(self.array()?);
                (number.is_finite() && f64::from(number as f32) != number).then_some(())
            }
            _ => None,
        }
    }

    /// The number behind a head, in as few bytes as it fits.
    fn number(&mut self, short: u8) -> Option<u64> {
        match short {
            0..=23 => Some(u64::from(short)),
            24 => Some(u64::from(self.take(1)?[0])).filter(|number| *number > 23),
            25 => Some(u64::from(u16::from_be_bytes(self.array()?))).filter(|number| *number > 0xff),
            26 => Some(u64::from(u32::from_be_bytes(self.array()?))).filter(|number| *number > 0xffff),
            27 => Some(u64::from_be_bytes(self.array()?)).filter(|number| *number > 0xffff_ffff),
            _ => None,
        }
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use ciborium::Value;

    use super::super::{DEPTH_MAX, canonical, decode};
    use super::is_canonical;

    fn value(random: &mut fastrand::Rng, depth: usize) -> Value {
        match random.u8(0..if depth == 0 { 7 } else { 9 }) {
            0 => Value::Null,
            1 => Value::Bool(random.bool()),
            2 => Value::Integer((random.u64(..) >> random.u32(0..64)).into()),
            3 => Value::Integer((-1 - (random.i64(0..) >> random.u32(0..63))).into()),
            4 => Value::Float(
                [0.5, 1e300, f64::from(0.1f32), f64::NAN, f64::INFINITY, 6e-8, 65519.0][random.usize(0..7)],
            ),
            5 => Value::Text("x\u{fc}".repeat(random.usize(0..40))),
            6 => Value::Bytes(vec![7; random.usize(0..300)]),
            7 => Value::Array((0..random.usize(0..30)).map(|_| value(random, depth - 1)).collect()),
            _ => Value::Map(
                (0..random.usize(0..30)).map(|key| (Value::from(key as u64), value(random, depth - 1))).collect(),
            ),
        }
    }

    /// Never says yes to what the slow way would write otherwise, however the bytes are bent.
    #[test]
    fn what_it_lets_through_is_what_would_be_written() {
        let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
        println!("SEED={seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let mut let_through = 0;
        for _ in 0..2_000 {
            let mut bytes = Vec::new();
            canonical::write(&value(&mut random, 3), &mut bytes, DEPTH_MAX).unwrap();
            let_through += usize::from(is_canonical(&bytes));
            for _ in 0..20 {
                let mut bent = bytes.clone();
                let at = random.usize(0..bent.len());
                bent[at] = random.u8(..);
                if is_canonical(&bent) {
                    let mut written = Vec::new();
                    canonical::write(&decode(&bent).unwrap(), &mut written, DEPTH_MAX).unwrap();
                    assert_eq!(written, bent);
                }
            }
        }
        assert!(let_through > 1_000, "{let_through} of 2,000");
    }
}
