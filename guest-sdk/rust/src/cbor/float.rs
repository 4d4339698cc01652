//! Half precision floats, and which of the three widths holds a float exactly.

/// Converts half precision to double; exact.
pub(super) fn from_half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = (bits >> 10) & 0x1f;
    let fraction = f64::from(bits & 0x3ff);
    match exponent {
        0 => sign * fraction / f64::from(1 << 24),
        0x1f if fraction == 0.0 => sign * f64::INFINITY,
        0x1f => f64::NAN,
        // 2^exponent as a whole number, then the bias of 15 and the 10 bits of fraction taken off again.
        _ => sign * (1024.0 + fraction) * f64::from(1u32 << exponent) / f64::from(1u32 << 25),
    }
}

/// Returns the bits of the half precision float of exactly this value, if there is one.
pub(super) fn to_half(value: f32) -> Option<u16> {
    let bits = value.to_bits();
    let sign = ((bits >> 16) & 0x8000) as u16;
    let exponent = ((bits >> 23) & 0xff) as i32 - 127;
    let fraction = bits & 0x007f_ffff;
    if value == 0.0 {
        return Some(sign);
    }
    if value.is_infinite() {
        return Some(sign | 0x7c00);
    }
    match exponent {
        -14..=15 if fraction & 0x1fff == 0 => Some(sign | (((exponent + 15) as u16) << 10) | (fraction >> 13) as u16),
        -24..=-15 => {
            let whole = fraction | 0x0080_0000;
            let shift = (13 - 14 - exponent) as u32;
            (whole.trailing_zeros() >= shift).then_some(sign | (whole >> shift) as u16)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_survives_the_way_there_and_back() {
        for bits in 0..=u16::MAX {
            let value = from_half(bits);
            if value.is_nan() {
                continue;
            }
            assert_eq!(to_half(value as f32), Some(bits), "{value}");
        }
    }

    #[test]
    fn what_has_no_half_gets_none() {
        for value in [1.1f32, 65536.0, 1e-9, 2049.0] {
            assert_eq!(to_half(value), None, "{value}");
        }
    }
}
