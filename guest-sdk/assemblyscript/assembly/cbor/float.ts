/** Half precision floats, and which of the three widths holds a float exactly. */

/** Converts half precision to double; exact. */
export function fromHalf(bits: u32): f64 {
  const sign: f64 = bits & 0x8000 ? -1.0 : 1.0;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = <f64>(bits & 0x3ff);
  if (exponent == 0) return (sign * fraction) / 16_777_216.0;
  if (exponent == 0x1f) return fraction == 0.0 ? sign * Infinity : NaN;
  // 2^exponent as a whole number, then the bias of 15 and the 10 bits of fraction taken off again.
  return (sign * (1024.0 + fraction) * <f64>(<u32>1 << exponent)) / 33_554_432.0;
}

/** The bits of the half precision float of exactly this value, or -1 if there is none. */
export function toHalf(value: f32): i32 {
  const bits = reinterpret<u32>(value);
  const sign = (bits >> 16) & 0x8000;
  const exponent = <i32>((bits >> 23) & 0xff) - 127;
  const fraction = bits & 0x007f_ffff;
  if (value == 0.0) return sign;
  if (exponent == 128) return fraction == 0 ? sign | 0x7c00 : -1;
  if (exponent >= -14 && exponent <= 15 && (fraction & 0x1fff) == 0) {
    return sign | (<u32>(exponent + 15) << 10) | (fraction >> 13);
  }
  if (exponent >= -24 && exponent <= -15) {
    const whole = fraction | 0x0080_0000;
    const shift = <u32>(-1 - exponent);
    return ctz(whole) >= shift ? sign | (whole >> shift) : -1;
  }
  return -1;
}
