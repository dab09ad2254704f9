//! The name that was probably meant, for help in messages.

/// The name among `known` that is most like `name`, if one is alike enough to be worth a question.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    let length = wanted.chars().count();
    let allowed = (length / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed && *distance < length)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let known = ["User", "Device", "event_time"];
        for (name, expected) in
            [("user", Some("User")), ("Devcie", Some("Device")), ("event_tim", Some("event_time")), ("x", None)]
        {
            assert_eq!(nearest(name, known), expected, "{name}");
        }
    }
}
