//! Decimal numbers as text, exactly: the shortest way to a 64-bit integer or float, and a slow one that is never wrong.

/// The powers of ten that a 64-bit float holds exactly.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// A number as it was written: ± `mantissa` × 10 to the `exponent`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number<'a> {
    pub(crate) negative: bool,
    /// All digits without the point; wrapped around when there were too many, see `digits`.
    pub(crate) mantissa: u64,
    pub(crate) exponent: i32,
    /// How many digits there were; up to 19 always fit.
    pub(crate) digits: usize,
    /// Neither point nor exponent.
    pub(crate) whole: bool,
    /// The text itself.
    pub(crate) text: &'a [u8],
}

impl Number<'_> {
    /// The number as an integer, if it is one (`3`, `3.0` and `0.3e1` are), and within 128 bits.
    pub(crate) fn to_integer(self) -> Option<i128> {
        if self.whole && self.digits <= 19 {
            let magnitude = i128::from(self.mantissa);
            return Some(if self.negative { -magnitude } else { magnitude });
        }
        parse_scaled(self.text, 0)
    }

    /// The nearest 64-bit float; infinite when out of range.
    pub(crate) fn to_f64(self) -> f64 {
        // Clinger's fast path: both factors are exact, so the one operation rounds once.
        if self.digits <= 19 && self.mantissa <= 1 << 53 && self.exponent.unsigned_abs() <= 22 {
            let power = EXACT_POWERS[self.exponent.unsigned_abs() as usize];
            let mantissa = self.mantissa as f64;
            let magnitude = if self.exponent < 0 { mantissa / power } else { mantissa * power };
            return if self.negative { -magnitude } else { magnitude };
        }
        parse_float(self.text)
    }

    /// The nearest 32-bit float; infinite when out of range. By way of 64 bits it would be rounded twice.
    pub(crate) fn to_f32(self) -> f32 {
        std::str::from_utf8(self.text).ok().and_then(|text| text.parse().ok()).unwrap_or(f32::INFINITY)
    }
}

#[cold]
fn parse_float(text: &[u8]) -> f64 {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or(f64::INFINITY)
}

/// Reads a decimal number and gives it times 10 to the `scale`; `None` when that is no integer, more than 128 bits hold,
/// or when the text is no number. Takes what JSON takes, and also a leading `+`, leading zeros, `1.` and `.5`.
pub(crate) fn parse_scaled(text: &[u8], scale: i32) -> Option<i128> {
    let (negative, unsigned) = split_sign(text);
    let exponent_at = unsigned.iter().position(|byte| matches!(byte, b'e' | b'E'));
    let (mantissa, exponent) = match exponent_at {
        Some(at) => (&unsigned[..at], parse_exponent(&unsigned[at + 1..])?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = match mantissa.iter().position(|byte| *byte == b'.') {
        Some(point) => (&mantissa[..point], &mantissa[point + 1..]),
        None => (mantissa, [].as_slice()),
    };
    let digits = || whole.iter().chain(fraction);
    if digits().next().is_none() || !digits().all(u8::is_ascii_digit) {
        return None;
    }
    let zeros_at_end = digits().rev().take_while(|digit| **digit == b'0').count();
    let significant = whole.len() + fraction.len() - zeros_at_end;
    let mut value: i128 = 0;
    for digit in digits().take(significant) {
        value = value.checked_mul(10)?.checked_sub(i128::from(digit - b'0'))?;
    }
    if value != 0 {
        let shift = exponent - fraction.len() as i64 + zeros_at_end as i64 + i64::from(scale);
        let power = 10_i128.checked_pow(u32::try_from(shift).ok()?)?;
        value = value.checked_mul(power)?;
    }
    // The negative side reaches one further, so the digits were subtracted.
    if negative { Some(value) } else { value.checked_neg() }
}

fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] | rest => (false, rest),
    }
}

fn parse_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = split_sign(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // Larger exponents than this are out of every range; they need only stay large.
    let magnitude = digits.iter().fold(0_i64, |value, digit| (value * 10 + i64::from(digit - b'0')).min(1 << 40));
    Some(if negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaling_is_exact_or_refused() {
        for (text, scale, value) in [
            ("3", 0, Some(3)),
            ("-3.0", 0, Some(-3)),
            ("1e3", 0, Some(1000)),
            ("1200e-2", 0, Some(12)),
            ("1.5", 0, None),
            ("1.5", 2, Some(150)),
            ("1.500", 1, Some(15)),
            ("1.55", 1, None),
            ("+007", 0, Some(7)),
            (".5", 1, Some(5)),
            ("5.", 0, Some(5)),
            ("0e999999999999999999999", 0, Some(0)),
            ("1e999999999999999999999", 0, None),
            ("1e-999999999999999999999", 0, None),
            ("170141183460469231731687303715884105727", 0, Some(i128::MAX)),
            ("-170141183460469231731687303715884105728", 0, Some(i128::MIN)),
            ("170141183460469231731687303715884105728", 0, None),
            ("12x", 0, None),
            ("1e", 0, None),
            ("-", 0, None),
            (".", 0, None),
            ("", 0, None),
            ("1.2.3", 2, None),
        ] {
            assert_eq!(parse_scaled(text.as_bytes(), scale), value, "{text} × 10^{scale}");
        }
    }
}
