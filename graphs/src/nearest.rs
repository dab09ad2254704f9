//! "Did you mean": the known name that is nearest to one that is not.

/// The name among `known` that a typist most likely meant by `written`, if any is near enough.
pub(crate) fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = written.to_lowercase();
    let mut best: Option<(usize, &str)> = None;
    for name in known {
        let other = name.to_lowercase();
        let mut distance = strsim::damerau_levenshtein(&folded, &other);
        // A name cut short, or with something added, is near however long the rest is.
        if distance > 1
            && folded.len() >= 3
            && (other.starts_with(&folded) || other.len() >= 3 && folded.starts_with(&other))
        {
            distance = 1;
        }
        let longest = folded.chars().count().max(other.chars().count());
        let allowed = (longest / 3).max(1);
        let similar = distance <= allowed && (distance < longest);
        if similar && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, name));
        }
    }
    best.map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_keyboard_are_understood_and_other_words_are_not() {
        let known = ["window", "keys", "aggregates", "output_mode", "time", "on"];
        for (written, meant) in [
            ("windw", Some("window")),
            ("Window", Some("window")),
            ("kyes", Some("keys")),
            ("key", Some("keys")),
            ("aggregate", Some("aggregates")),
            ("outputmode", Some("output_mode")),
            ("output", Some("output_mode")),
            ("colour", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, known), meant, "{written}");
        }
    }
}
