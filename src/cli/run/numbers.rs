//! Numbers for people.

/// A count with its thousands set apart: `1,234,567`.
pub(in crate::cli) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count in three digits: `385 k`, `1.23 M`.
pub(in crate::cli) fn short(number: f64) -> String {
    for (unit, size) in [("G", 1e9), ("M", 1e6), ("k", 1e3)] {
        // What would be rounded up to the next unit is shown in it.
        if number >= size * 0.9995 {
            let value = number / size;
            let digits = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
            return format!("{value:.digits$} {unit}");
        }
    }
    format!("{number:.0}")
}

/// Rows over a time, as rows per second.
pub(in crate::cli) fn rate(rows: u64, seconds: f64) -> String {
    if seconds > 0.0 { format!("{} rows/s", short(rows as f64 / seconds)) } else { "– rows/s".to_owned() }
}

/// A length of time: `52 ms`, `3.2 s`, `4m 10s`.
pub(in crate::cli) fn seconds(seconds: f64) -> String {
    match seconds {
        ms if ms < 0.9995 => format!("{:.0} ms", ms * 1000.0),
        few if few < 59.95 => format!("{few:.1} s"),
        many => format!("{}m {:02}s", (many.round() as u64) / 60, (many.round() as u64) % 60),
    }
}

/// Bytes: `4.7 MB`.
pub(in crate::cli) fn bytes(number: u64) -> String {
    match number {
        0 => "0".to_owned(),
        few if few < 1000 => format!("{few} B"),
        many => format!("{}B", short(many as f64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
        for (number, text) in
            [(0.0, "0"), (999.0, "999"), (999.9, "1.00 k"), (1234.0, "1.23 k"), (385_200.0, "385 k"), (3.5e9, "3.50 G")]
        {
            assert_eq!(short(number), text);
        }
        for (number, text) in [(0.0521, "52 ms"), (3.21, "3.2 s"), (59.99, "1m 00s"), (250.0, "4m 10s")] {
            assert_eq!(seconds(number), text);
        }
        assert_eq!((bytes(0), bytes(17), bytes(4_700_000)), ("0".to_owned(), "17 B".to_owned(), "4.70 MB".to_owned()));
    }
}
