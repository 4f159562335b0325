//! Suggestions for mistyped words.

/// The known word that `word` may be a misspelling of, if there is one among the first thousand: comparing more would
/// take too long. `_` and `-` count as the same, a swap of neighbours as one mistake.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let fold = |word: &str| word.to_lowercase().replace('_', "-");
    let word: String = fold(word).chars().take(64).collect();
    let length = word.chars().count();
    let tolerance = (length / 3).clamp(if length > 3 { 2 } else { 1 }, 4);
    known
        .iter()
        .take(1_000)
        .map(|candidate| (strsim::osa_distance(&word, &fold(candidate)), *candidate))
        .filter(|(distance, _)| *distance <= tolerance)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typo_suggests_nearest_word() {
        let known = ["protocol", "protocols", "port", "ports", "any_address"];
        for (typed, meant) in [
            ("protcol", Some("protocol")),
            ("prots", Some("ports")),
            ("id", None),
            ("any-address", Some("any_address")),
            ("Port", Some("port")),
            ("banana", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, &known), meant, "{typed}");
        }
    }
}
